import type { ExitCode } from './exit-code.js';

/** A failure of the command line itself, with the sentence that a person reads and the code that a script reads. */
export class CliError extends Error {
  /** Stable kebab-case name. */
  readonly code: string;
  readonly exitCode: ExitCode;

  constructor(code: string, exitCode: ExitCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'CliError';
    this.code = code;
    this.exitCode = exitCode;
  }
}
