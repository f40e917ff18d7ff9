import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, callOptions, type DataOptions, withClient } from '../data-command.js';
import { ExitCode } from '../exit-code.js';
import { valueFields } from '../value-text.js';

/** `memdb get KEY`: the value as it is; a newline is added only when a person is looking. */
export function registerGet(program: Command, context: CliContext): void {
  const command = program.command('get').description('print the value of a key').argument('<key>');
  addDataOptions(command, true).action(async (key: string, options: DataOptions) => {
    await withClient(context, options, async (client) => {
      const value = await client.getBytes(key, callOptions(options));
      if (value === undefined) {
        context.exitCode = ExitCode.notFound;
        if (!context.report.json) context.report.note(`memdb: there is no value for ${JSON.stringify(key)}`);
        context.report.result({ key, found: false }, '');
        return;
      }
      const newline = context.io.outputIsTerminal ? '\n' : '';
      const text = newline === '' ? value : Buffer.concat([value, Buffer.from(newline)]);
      context.report.result({ key, found: true, bytes: value.length, ...valueFields(value) }, text);
    });
  });
}
