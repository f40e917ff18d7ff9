import { Command, CommanderError } from 'commander';
import type { CliContext } from './cli-context.js';
import type { CliIo } from './cli-io.js';
import { commandsFor, type RegisterCommand } from './command-table.js';
import { ExitCode } from './exit-code.js';
import { describeFailure } from './failure.js';
import { Report } from './report.js';

export interface CliOptions {
  /** What follows `memdb`. */
  readonly arguments: readonly string[];
  readonly version: string;
  readonly io: CliIo;
  readonly connect: CliContext['connect'];
}

/**
 * Runs one command line to its end and returns the exit code. Never throws: every failure is reported, as JSON on
 * standard output with `--json`, else as a sentence on standard error.
 */
export async function runCli(options: CliOptions): Promise<ExitCode> {
  const { io } = options;
  const json = wantsJson(options.arguments);
  const context: CliContext = {
    io,
    version: options.version,
    report: new Report(io, json),
    connect: options.connect,
    exitCode: ExitCode.done,
    connected: false,
    mayWrite: false,
  };
  try {
    const program = buildProgram(options.version, await commandsFor(options.arguments), context);
    await program.parseAsync([...options.arguments], { from: 'user' });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.done;
    const failure = describeFailure(error, context);
    context.report.failure(failure);
    return failure.exitCode;
  }
}

function buildProgram(version: string, commands: readonly RegisterCommand[], context: CliContext): Command {
  const { report } = context;
  const program = new Command('memdb')
    .description('a leaderless, durable key-value database')
    .version(version, '--version', 'print the version')
    .option('--json', 'print exactly one JSON document, errors included')
    .helpOption('--help', 'explain a command')
    .showHelpAfterError(false)
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      // Help and version come through here; errors are reported once, by runCli.
      writeOut: (text) => report.result({ text }, text),
      writeErr: (text) => {
        if (!text.startsWith('error: ')) report.note(text);
      },
    });
  for (const register of commands) register(program, context);
  return program;
}

/** Known before anything is parsed, because parsing itself may fail. What follows `--` is data. */
function wantsJson(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  return (end === -1 ? words : words.slice(0, end)).includes('--json');
}
