import type { Conflict, ConflictVersion } from '@memdb/client';
import { MemDbError } from '@memdb/protocol';
import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, callOptions, type DataOptions, withAdmin } from '../data-command.js';
import type { JsonValue } from '../report.js';
import { showValue, valueFields } from '../value-text.js';

/** `memdb conflicts`: writes that lost to one that had not seen them. */
export function registerConflicts(program: Command, context: CliContext): void {
  const command = program
    .command('conflicts')
    .description('print the writes that lost to one that had not seen them, the newest first (needs the admin key)');
  addDataOptions(command, false).action(async (options: DataOptions) => {
    await withAdmin(context, options, async (client) => {
      const lists = await Promise.all(
        (client.topology?.nodes ?? []).map(async ({ number }) => {
          try {
            return await client.admin.conflicts(number, callOptions(options));
          } catch (error) {
            if (!(error instanceof MemDbError)) throw error;
            context.report.note(`memdb: node ${number} did not tell: ${error.message}`);
            return [];
          }
        }),
      );
      const conflicts = lists.flat().sort((a, b) => b.atMs - a.atMs);
      const text = conflicts.map(conflictText).join('');
      const document = { conflicts: conflicts.map(conflictDocument) };
      context.report.result(document, text === '' ? 'no conflicts that a node remembers\n' : text);
    });
  });
}

function conflictDocument({ atMs, key, winner, loser }: Conflict): JsonValue {
  const version = ({ stamp, value, valueBytes }: ConflictVersion): JsonValue => ({
    stamp: { ...stamp },
    found: value !== undefined,
    ...(value === undefined ? {} : valueFields(value)),
    bytes: valueBytes,
  });
  return { atMs, key: Buffer.from(key).toString(), winner: version(winner), loser: version(loser) };
}

function conflictText({ atMs, key, winner, loser }: Conflict): string {
  const version = ({ stamp, value }: ConflictVersion): string =>
    `${value === undefined ? '(deleted)' : showValue(value)}, stamped ${stamp.counter} by node ${stamp.node}`;
  return `${new Date(atMs).toISOString()}  ${showValue(key)}\n  won   ${version(winner)}\n  lost  ${version(loser)}\n`;
}
