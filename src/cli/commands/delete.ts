import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, callOptions, type DataOptions, withClient } from '../data-command.js';

/** `memdb delete KEY`: afterwards there is no value; it is no error when there was none. */
export function registerDelete(program: Command, context: CliContext): void {
  const command = program.command('delete').description('delete a key').argument('<key>');
  addDataOptions(command, true).action(async (key: string, options: DataOptions) => {
    context.mayWrite = true;
    await withClient(context, options, async (client) => {
      await client.delete(key, callOptions(options));
      context.report.result({ key, deleted: true }, 'deleted\n');
    });
  });
}
