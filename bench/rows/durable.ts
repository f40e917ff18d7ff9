import type { Context } from '../context.js';
import { KEYS, redisIsMissing, startLoadedPair } from './beside-redis.js';
import { closedRounds, prepare } from './rounds.js';
import { rowOfRounds } from './row.js';
import { TARGETS } from './targets.js';

/** SET answered after fdatasync, beside Redis with `appendfsync always`. */
export async function durableRows(context: Context): Promise<void> {
  if (redisIsMissing(context)) return;
  const pair = await startLoadedPair(context, 'sync');
  const { ours, theirs } = pair;
  await prepare([ours, theirs], 'set', KEYS);
  for (const depth of [64, 1]) {
    const title = `SET after fdatasync, depth ${depth}`;
    context.progress(title);
    const rounds = await closedRounds(context, ours, theirs, depth);
    const targets = depth === 64 ? TARGETS.durableDepth64 : TARGETS.durableDepth1;
    context.rows.push(rowOfRounds(title, 'Redis always', rounds, targets));
  }
  await pair.stop();
}
