import { GENERATOR_CORE } from '../children.js';
import type { Context } from '../context.js';
import { startClient } from '../generators/generator-handle.js';
import { KEYS, redisIsMissing, startPair } from './beside-redis.js';
import { closedRounds, prepare, type Side } from './rounds.js';
import { rowOfRounds } from './row.js';
import { TARGETS } from './targets.js';

const CALLERS = 64;

/** The client library beside ioredis with automatic pipelining, each against its own server. */
export async function clientRows(context: Context): Promise<void> {
  if (redisIsMissing(context)) return;
  const { children } = context;
  const pair = await startPair(context, 'none');
  const redisUrl = `redis://127.0.0.1:${pair.redis.ports[0]}`;
  const ours: Side = {
    generator: startClient(children, 'memdb', GENERATOR_CORE, pair.memdb.url),
    pids: pair.memdb.pids,
  };
  const theirs: Side = { generator: startClient(children, 'ioredis', GENERATOR_CORE, redisUrl), pids: pair.redis.pids };
  // The libraries store what they then read: the first row warms the second up.
  for (const side of [ours, theirs]) {
    await side.generator.ask({ kind: 'fill', first: 0, count: KEYS, depth: CALLERS });
  }
  for (const operation of ['get', 'set'] as const) {
    const title = `client ${operation}, ${CALLERS} callers`;
    context.progress(title);
    await prepare([ours, theirs], operation, KEYS);
    const rounds = await closedRounds(context, ours, theirs, CALLERS);
    context.rows.push(rowOfRounds(title, 'ioredis', rounds, TARGETS.client, 'client'));
  }
  for (const side of [ours, theirs]) await side.generator.stop();
  await pair.stop();
}
