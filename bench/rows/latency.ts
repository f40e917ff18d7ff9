import type { Context } from '../context.js';
import { fill, KEYS, redisIsMissing, startLoadedPair } from './beside-redis.js';
import { openRounds, prepare } from './rounds.js';
import { rowOfRounds } from './row.js';

/** Requests a second: about a quarter and half of what one core answers one by one. */
const RATES: readonly number[] = [20_000, 40_000];

/** Latency under a set rate, from the intended start of each request. */
export async function latencyRows(context: Context): Promise<void> {
  if (redisIsMissing(context)) return;
  const pair = await startLoadedPair(context, 'none');
  const { ours, theirs } = pair;
  await fill([ours, theirs], 0, KEYS);
  await prepare([ours, theirs], 'get', KEYS);
  for (const rate of RATES) {
    const title = `GET at ${rate} a second`;
    context.progress(title);
    context.rows.push(rowOfRounds(title, 'Redis', await openRounds(context, ours, theirs, rate), {}));
  }
  await pair.stop();
}
