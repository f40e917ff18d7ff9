import { GENERATOR_CORE } from '../children.js';
import { type Context, skip } from '../context.js';
import { startGenerator } from '../generators/generator-handle.js';
import { type MemdbPeer, startMemdb } from '../peers/memdb.js';
import type { Peer } from '../peers/peer.js';
import { REDIS_INSTALL, redisVersion, startRedis } from '../peers/redis.js';
import type { Side } from './rounds.js';

/** performance.md: 50 connections, 100,000 keys. */
export const CONNECTIONS = 50;
export const KEYS = 100_000;
const FILL_DEPTH = 64;

/** One node of MemDB and one Redis with equal durability, each pinned to the servers' core. */
export interface Pair {
  readonly memdb: MemdbPeer;
  readonly redis: Peer;
  stop(): Promise<void>;
}

/** The same with a connected generator each. */
export interface LoadedPair {
  readonly ours: Side;
  readonly theirs: Side;
  stop(): Promise<void>;
}

/** Whether Redis can be started here; notes that its rows are skipped when not. */
export function redisIsMissing(context: Context): boolean {
  if (redisVersion() !== undefined) return false;
  skip(context, 'redis-server', REDIS_INSTALL);
  return true;
}

export async function startPair(context: Context, durability: 'none' | 'sync'): Promise<Pair> {
  const { children, options } = context;
  const memdb = await startMemdb(children, { durability, nodes: 1, profileDirectory: options.profileDirectory });
  const redis = await startRedis(children, durability === 'none' ? 'none' : 'always');
  const stop = async (): Promise<void> => {
    await memdb.stop();
    await redis.stop();
  };
  return { memdb, redis, stop };
}

export async function startLoadedPair(context: Context, durability: 'none' | 'sync'): Promise<LoadedPair> {
  const { children } = context;
  const { memdb, redis, stop } = await startPair(context, durability);
  const ours = startGenerator(children, 'memdb', GENERATOR_CORE, memdb.credentials);
  const theirs = startGenerator(children, 'redis', GENERATOR_CORE);
  await ours.connect(memdb.ports, CONNECTIONS);
  await theirs.connect(redis.ports, CONNECTIONS);
  return {
    ours: { generator: ours, pids: memdb.pids },
    theirs: { generator: theirs, pids: redis.pids },
    stop: async () => {
      await ours.stop();
      await theirs.stop();
      await stop();
    },
  };
}

/** Stores key numbers `first` to `first + count` on both sides. */
export async function fill(sides: readonly Side[], first: number, count: number): Promise<void> {
  for (const side of sides) await side.generator.ask({ kind: 'fill', first, count, depth: FILL_DEPTH });
}
