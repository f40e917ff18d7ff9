import { type Address, formatAddress } from '../../config/address.js';
import { systemErrorCode } from '../../platform/disk-error.js';
import { CliError } from '../cli-error.js';
import { ExitCode } from '../exit-code.js';

/** Why an address cannot be listened on, with what to do; `flag` is how to choose another one. */
export function listenError(address: Address, flag: string, error: unknown): CliError {
  return new CliError('cannot-listen', ExitCode.failed, listenMessage(address, flag, error), error);
}

/** Whether listening failed, and not the disk or the log: those carry codes of system calls, too. */
export function isListenFailure(error: unknown): boolean {
  return listenCodeOf(error) !== '';
}

/** The code of the call that was to listen, also when other errors are wrapped around it. */
function listenCodeOf(error: unknown): string {
  for (let current: unknown = error; current instanceof Error; current = current.cause) {
    if ('syscall' in current && /^(listen|bind)$/.test(String(current.syscall))) return systemErrorCode(current);
  }
  return '';
}

function listenMessage(address: Address, flag: string, error: unknown): string {
  const where = formatAddress(address);
  switch (listenCodeOf(error)) {
    case 'EADDRINUSE':
      return `${where} is in use by another process: stop that one, or choose another address with ${flag}`;
    case 'EADDRNOTAVAIL':
      return `${where} is no address of this machine: choose one of its own with ${flag}, and set node.advertise to what others dial`;
    case 'EACCES':
      return `this user may not listen on ${where}: choose a port above 1023 with ${flag}`;
    default:
      return `cannot listen on ${where} (${flag}): ${error instanceof Error ? error.message : String(error)}`;
  }
}
