import { CliError } from './cli-error.js';
import type { CliIo } from './cli-io.js';
import { ExitCode } from './exit-code.js';

/** No cluster takes a value beyond this (limits.max_value is at most 64 MiB), so reading more is pointless. */
const valueBytesMax = 64 * 2 ** 20;

/**
 * The value of a write: the argument, standard input for `-`, or a file; bytes are taken as they are.
 *
 * @throws CliError (usage) unless exactly one source is given.
 */
export async function readValue(
  argument: string | undefined,
  file: string | undefined,
  io: CliIo,
): Promise<string | Uint8Array> {
  if (argument !== undefined && file !== undefined) {
    throw new CliError('usage', ExitCode.usage, 'give the value either as an argument or with --file, not both');
  }
  if (file !== undefined) return io.readFile(file);
  if (argument === undefined) {
    throw new CliError('usage', ExitCode.usage, 'give a value, - to read standard input, or --file FILE');
  }
  return argument === '-' ? await io.readInput(valueBytesMax) : argument;
}
