import { GENERATOR_CORE } from '../children.js';
import type { Context } from '../context.js';
import { residentBytes } from '../cpu-time.js';
import { startGenerator } from '../generators/generator-handle.js';
import { memdbMetric, startMemdb } from '../peers/memdb.js';
import { redisUsedMemory, startRedis } from '../peers/redis.js';
import { spread } from '../statistics.js';
import { CONNECTIONS, redisIsMissing } from './beside-redis.js';
import type { Row, Targets } from './row.js';
import { TARGETS } from './targets.js';

const KEYS = 1_000_000;
const FILL = { kind: 'fill', first: 0, count: KEYS, depth: 64 } as const;

interface Footprint {
  /** What the server says that its data takes. */
  readonly accounted: number;
  /** What the kernel says. */
  readonly resident: number;
}

/** What a million keys of 16 bytes with values of 100 take, memory only, freshly stored. */
export async function memoryRows(context: Context): Promise<void> {
  if (redisIsMissing(context)) return;
  const { children } = context;
  context.progress('memory of a million keys');
  const memdb = await startMemdb(children, { durability: 'none', nodes: 1, profileDirectory: undefined });
  const memdbGenerator = startGenerator(children, 'memdb', GENERATOR_CORE, memdb.credentials);
  await memdbGenerator.connect(memdb.ports, CONNECTIONS);
  const ours = await growth(
    () => memdbGenerator.ask(FILL),
    () => memdbMetric(memdb.httpPorts[0], 'memdb_accounted_bytes'),
    memdb.pids[0],
  );
  await memdbGenerator.stop();
  await memdb.stop();

  const redis = await startRedis(children, 'none');
  const redisGenerator = startGenerator(children, 'redis', GENERATOR_CORE);
  await redisGenerator.connect(redis.ports, CONNECTIONS);
  const theirs = await growth(
    () => redisGenerator.ask(FILL),
    () => redisUsedMemory(redis.ports[0]),
    redis.pids[0],
  );
  await redisGenerator.stop();
  await redis.stop();

  const { rows } = context;
  rows.push(row('1 million keys, accounted', ours.accounted, theirs.accounted, TARGETS.accountedBytes));
  rows.push(row('1 million keys, RSS growth', ours.resident, theirs.resident, TARGETS.residentBytes));
}

/** Bytes per key that `fill` adds. */
async function growth(fill: () => Promise<unknown>, accounted: () => Promise<number>, pid: number): Promise<Footprint> {
  const before = { accounted: await accounted(), resident: residentBytes(pid) };
  await fill();
  return {
    accounted: ((await accounted()) - before.accounted) / KEYS,
    resident: (residentBytes(pid) - before.resident) / KEYS,
  };
}

function row(title: string, memdb: number, peer: number, targets: Targets): Row {
  return {
    title,
    unit: 'bytes/key',
    peer: 'Redis',
    memdb: spread([memdb]),
    theirs: spread([peer]),
    ratio: spread([memdb / peer]),
    targets,
  };
}
