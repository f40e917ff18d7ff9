import { type Child, freePort, GENERATOR_CORE, untilReady } from '../children.js';
import type { Context } from '../context.js';
import { startGenerator } from '../generators/generator-handle.js';
import { keyText, valueText } from '../generators/key-space.js';
import { startMemdb } from '../peers/memdb.js';
import { memdbGet } from '../peers/memdb-get.js';
import { launchRedis } from '../peers/redis.js';
import { redisAnswers, redisGet } from '../peers/redis-command.js';
import { ratios, spread } from '../statistics.js';
import { CONNECTIONS, redisIsMissing } from './beside-redis.js';
import { TARGETS } from './targets.js';

const KEYS = 1_000_000;
const FILL = { kind: 'fill', first: 0, count: KEYS, depth: 64 } as const;
const PROBED_KEY = 777_777;
/** A restart takes as long as several rounds of another row. */
const RESTARTS_MAX = 5;
const POLL_MS = 2;

/** From the start of the process to the first right answer, with a million keys on disk and in the page cache. */
export async function restartRows(context: Context): Promise<void> {
  if (redisIsMissing(context)) return;
  context.progress('restart with a million keys');
  const memdb = await filledMemdb(context);
  const redis = await filledRedis(context);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let restart = 0; restart < Math.min(RESTARTS_MAX, context.options.rounds); restart++) {
    ours.push(await secondsUntilServing(context, memdb.launch, memdb.read));
    theirs.push(await secondsUntilServing(context, redis.launch, redis.read));
  }
  context.rows.push({
    title: 'restart with 1 million keys',
    unit: 'seconds',
    peer: 'Redis AOF',
    memdb: spread(ours),
    theirs: spread(theirs),
    ratio: spread(ratios(ours, theirs)),
    targets: TARGETS.restart,
  });
}

/** A stopped server with its data. */
interface Stopped {
  launch(): Child;
  /** The probed key's value, or undefined while the server does not serve. */
  read(): Promise<string | undefined>;
}

async function filledMemdb(context: Context): Promise<Stopped> {
  const { children } = context;
  const memdb = await startMemdb(children, { durability: 'sync', nodes: 1, profileDirectory: undefined });
  const generator = startGenerator(children, 'memdb', GENERATOR_CORE, memdb.credentials);
  await generator.connect(memdb.ports, CONNECTIONS);
  await generator.ask(FILL);
  await generator.stop();
  await memdb.stop();
  return {
    launch: () => memdb.launch(0),
    read: () => memdbGet(memdb.ports[0], memdb.credentials, keyText(PROBED_KEY)),
  };
}

async function filledRedis(context: Context): Promise<Stopped> {
  const { children } = context;
  const directory = children.makeDirectory('redis');
  const port = await freePort();
  const launch = (): Child => launchRedis(children, 'everysec', directory, port);
  const server = launch();
  await untilReady(server, () => redisAnswers(port));
  const generator = startGenerator(children, 'redis', GENERATOR_CORE);
  await generator.connect([port], CONNECTIONS);
  await generator.ask(FILL);
  await generator.stop();
  await children.stop(server);
  return { launch, read: () => redisGet(port, keyText(PROBED_KEY)) };
}

async function secondsUntilServing(
  context: Context,
  launch: Stopped['launch'],
  read: Stopped['read'],
): Promise<number> {
  const startMs = performance.now();
  const child = launch();
  let value: string | undefined;
  const serves = async (): Promise<boolean> => {
    value = await read();
    return value !== undefined;
  };
  await untilReady(child, serves, POLL_MS);
  const seconds = (performance.now() - startMs) / 1000;
  if (value !== valueText(PROBED_KEY)) throw new Error(`${child.name} answered a wrong value after its restart`);
  await context.children.stop(child);
  return seconds;
}
