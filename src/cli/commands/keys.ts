import { type Command, InvalidArgumentError } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, callOptions, type DataOptions, withClient } from '../data-command.js';
import { asText } from '../value-text.js';

interface KeysOptions extends DataOptions {
  readonly prefix?: string;
  readonly limit?: number;
}

/** Lines written before the reader of a pipe is waited for. */
const LINES_AT_ONCE = 1000;

/** `memdb keys`: one key a line, in no order, as they come. */
export function registerKeys(program: Command, context: CliContext): void {
  const command = program
    .command('keys')
    .description('print the keys, one a line, in no particular order')
    .option('--prefix <text>', 'only keys that begin so')
    .option('--limit <n>', 'stop after so many', parseLimit);
  addDataOptions(command, false).action(async (options: KeysOptions) => {
    await withClient(context, options, async (client) => {
      const { prefix, limit = Number.POSITIVE_INFINITY } = options;
      const { timeoutMs } = callOptions(options);
      const scan = client.keysBytes({
        ...(prefix === undefined ? {} : { prefix }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      });
      const { report, io } = context;
      report.beginList('keys');
      let count = 0;
      let complete = true;
      for await (const key of scan) {
        if (count === limit) {
          complete = false;
          break;
        }
        report.listItem(asText(key) ?? { keyBase64: Buffer.from(key).toString('base64') }, Buffer.from([...key, 10]));
        count++;
        if (count % LINES_AT_ONCE === 0) await io.outputDrained();
      }
      report.endList({ count, complete });
    });
  });
}

function parseLimit(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Give a whole number, such as 100.');
  return Number(text);
}
