import { type Client, type Conflict, type ConflictVersion, MemDbError } from '@memdb/client';
import type { z } from 'zod';
import type { conflictsSchema } from '../api/schemas.js';
import { isServing } from './health.js';
import type { NodeView } from './node-view.js';
import { showValue } from './shown-value.js';

type Conflicts = z.infer<typeof conflictsSchema>;

const TIMEOUT_MS = 1500;

/** What the nodes that answer remember of writes that lost to one that had not seen them, the newest first. */
export async function listConflicts(client: Client, nodes: readonly NodeView[]): Promise<Conflicts> {
  const serving = nodes.filter(isServing);
  const lists = await Promise.all(
    serving.map(async ({ number }) => {
      try {
        const conflicts = await client.admin.conflicts(number, { timeoutMs: TIMEOUT_MS });
        return conflicts.map((conflict) => ({ conflict, number }));
      } catch (error) {
        if (!(error instanceof MemDbError)) throw error;
        return [];
      }
    }),
  );
  const found = lists.flat().sort((a, b) => b.conflict.atMs - a.conflict.atMs);
  return {
    total: serving.reduce((sum, { metrics }) => sum + (metrics?.counters.conflicts_total ?? 0), 0),
    conflicts: found.map(({ conflict, number }) => describe(conflict, number)),
  };
}

function describe({ atMs, key, winner, loser }: Conflict, seenBy: number): Conflicts['conflicts'][0] {
  return { atMs, seenBy, key: Buffer.from(key).toString(), winner: versionOf(winner), loser: versionOf(loser) };
}

function versionOf({ stamp, value, valueBytes }: ConflictVersion): Conflicts['conflicts'][0]['winner'] {
  const cut = value !== undefined && valueBytes > value.length ? { cut: true } : {};
  return { ...showValue(value), bytes: valueBytes, ...cut, found: value !== undefined, stamp: { ...stamp } };
}
