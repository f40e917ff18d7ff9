import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, callOptions, type DataOptions, withClient } from '../data-command.js';
import { ExitCode } from '../exit-code.js';

/** `memdb contains KEY`: prints true or false; the exit code says the same (0 or 3). */
export function registerContains(program: Command, context: CliContext): void {
  const command = program.command('contains').description('say whether a key has a value').argument('<key>');
  addDataOptions(command, true).action(async (key: string, options: DataOptions) => {
    await withClient(context, options, async (client) => {
      const found = await client.contains(key, callOptions(options));
      if (!found) context.exitCode = ExitCode.notFound;
      context.report.result({ key, found }, `${found}\n`);
    });
  });
}
