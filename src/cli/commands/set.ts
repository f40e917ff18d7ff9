import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, callOptions, type DataOptions, withClient } from '../data-command.js';
import { readValue } from '../value-source.js';

interface SetOptions extends DataOptions {
  readonly file?: string;
}

/** `memdb set KEY VALUE`, `memdb set KEY -` (standard input), `memdb set KEY --file FILE`. */
export function registerSet(program: Command, context: CliContext): void {
  const command = program
    .command('set')
    .description('store a value')
    .argument('<key>')
    .argument('[value]', 'the value; - reads standard input')
    .option('--file <path>', 'store the bytes of a file');
  addDataOptions(command, true).action(async (key: string, argument: string | undefined, options: SetOptions) => {
    const value = await readValue(argument, options.file, context.io);
    const bytes = typeof value === 'string' ? Buffer.byteLength(value) : value.length;
    context.mayWrite = true;
    await withClient(context, options, async (client) => {
      await client.set(key, value, callOptions(options));
      context.report.result({ key, stored: true, bytes }, 'stored\n');
    });
  });
}
