import { type Address, formatAddress } from '../../config/address.js';
import { systemErrorCode } from '../../platform/disk-error.js';
import { CliError } from '../cli-error.js';
import { ExitCode } from '../exit-code.js';

/** Why an address cannot be listened on, with what to do; `flag` is how to choose another one. */
export function listenError(address: Address, flag: string, error: unknown): CliError {
  return new CliError('cannot-listen', ExitCode.failed, listenMessage(address, flag, error), error);
}

/** The code of a failed system call, also when other errors are wrapped around it. */
export function systemCauseOf(error: unknown): string {
  for (let current: unknown = error; current instanceof Error; current = current.cause) {
    const code = systemErrorCode(current);
    if (code !== '') return code;
  }
  return '';
}

function listenMessage(address: Address, flag: string, error: unknown): string {
  const where = formatAddress(address);
  switch (systemCauseOf(error)) {
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
