import type { CliContext } from './cli-context.js';
import { CliError } from './cli-error.js';
import { ExitCode } from './exit-code.js';

/**
 * Asks a person before something is done that cannot be taken back; `yes` is what `--yes` says.
 *
 * @throws CliError when the answer is no, or when there is nobody to ask.
 */
export async function confirm(question: string, yes: boolean, { io, report }: CliContext): Promise<void> {
  if (yes) return;
  if (!io.inputIsTerminal || report.json) {
    throw new CliError('not-confirmed', ExitCode.usage, 'nobody can be asked here: add --yes to do it unasked');
  }
  io.writeError(`${question} [y/N] `);
  const answer = (await io.readLine()).trim().toLowerCase();
  if (answer !== 'y' && answer !== 'yes') throw new CliError('not-confirmed', ExitCode.failed, 'nothing was done');
}
