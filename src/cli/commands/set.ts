import { TTL_MS_MAX } from '@memdb/protocol';
import { type Command, InvalidArgumentError } from 'commander';
import { parseDurationMs } from '../../config/units.js';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, callOptions, type DataOptions, withClient } from '../data-command.js';
import { readValue } from '../value-source.js';

interface SetOptions extends DataOptions {
  readonly file?: string;
  /** Milliseconds. */
  readonly ttl?: number;
}

/** `memdb set KEY VALUE`, `memdb set KEY -` (standard input), `memdb set KEY --file FILE`. */
export function registerSet(program: Command, context: CliContext): void {
  const command = program
    .command('set')
    .description('store a value')
    .argument('<key>')
    .argument('[value]', 'the value; - reads standard input')
    .option('--file <path>', 'store the bytes of a file')
    .option('--ttl <time>', 'the value is absent after this time: 500ms, 10s, 5m, 2h, 7d', parseTtl);
  addDataOptions(command, true).action(async (key: string, argument: string | undefined, options: SetOptions) => {
    const value = await readValue(argument, options.file, context.io);
    const bytes = typeof value === 'string' ? Buffer.byteLength(value) : value.length;
    context.mayWrite = true;
    await withClient(context, options, async (client) => {
      const expiry = options.ttl === undefined ? {} : { ttlMs: options.ttl };
      await client.set(key, value, { ...callOptions(options), ...expiry });
      context.report.result({ key, stored: true, bytes, ...expiry }, 'stored\n');
    });
  });
}

/** "10s", "2h", "7d": always with a unit, so that nobody takes seconds for milliseconds. */
function parseTtl(text: string): number {
  const milliseconds = parseDurationMs(text);
  if (milliseconds === undefined || milliseconds < 1 || milliseconds > TTL_MS_MAX) {
    throw new InvalidArgumentError('Give a time from 1ms to 3650d (10 years), such as 500ms, 10s, 2h or 7d.');
  }
  return milliseconds;
}
