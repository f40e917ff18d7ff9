import type { Context } from '../context.js';
import type { Operation } from '../generators/request-pool.js';
import { fill, KEYS, redisIsMissing, startLoadedPair } from './beside-redis.js';
import { closedRounds, prepare } from './rounds.js';
import { rowOfRounds } from './row.js';
import { TARGETS } from './targets.js';

const MANY_KEYS = 1_000_000;

/** GET and SET of one node, memory only, beside Redis without persistence. */
export async function speedRows(context: Context): Promise<void> {
  if (redisIsMissing(context)) return;
  const pair = await startLoadedPair(context, 'none');
  const { ours, theirs } = pair;
  const measure = async (operation: Operation, depth: number, keys: number, title: string): Promise<void> => {
    context.progress(title);
    await prepare([ours, theirs], operation, keys);
    const rounds = await closedRounds(context, ours, theirs, depth);
    const deep = operation === 'get' ? TARGETS.getDepth64 : TARGETS.setDepth64;
    context.rows.push(rowOfRounds(title, 'Redis', rounds, depth === 1 ? TARGETS.depth1 : deep));
  };
  await fill([ours, theirs], 0, KEYS);
  await measure('get', 64, KEYS, 'GET, depth 64');
  await measure('set', 64, KEYS, 'SET, memory only, depth 64');
  await measure('get', 1, KEYS, 'GET, depth 1');
  await measure('set', 1, KEYS, 'SET, memory only, depth 1');
  context.progress('storing a million keys');
  await fill([ours, theirs], KEYS, MANY_KEYS - KEYS);
  await measure('get', 64, MANY_KEYS, 'GET, depth 64, 1 million keys');
  await measure('set', 64, MANY_KEYS, 'SET, depth 64, 1 million keys');
  await pair.stop();
}
