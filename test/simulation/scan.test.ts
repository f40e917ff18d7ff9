import { type Client, createClient } from '@memdb/client';
import test from 'ava';
import { SIM_PORT, SimCluster, type SimClusterOptions } from '../harness/sim-cluster.js';
import { SimWorld } from '../harness/sim-world.js';
import { TEST_KEYS } from '../harness/test-keys.js';

interface Running {
  readonly world: SimWorld;
  readonly cluster: SimCluster;
  readonly db: Client;
  /** Runs the world until the promise has settled. */
  readonly settle: <Result>(promise: Promise<Result>) => Promise<Result>;
}

async function running(seed: number, options: Partial<SimClusterOptions> = {}): Promise<Running> {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, { nodes: 3, ...options });
  cluster.start();
  cluster.awaitReady();
  const seeds = cluster.names.map((host) => ({ host, port: SIM_PORT }));
  const db = createClient({ ports: world.createPorts('client'), seeds, key: TEST_KEYS.client });
  const settle = <Result>(promise: Promise<Result>): Promise<Result> => world.settle(promise, world.nowMs + 60_000);
  await settle(db.ready());
  return { world, cluster, db, settle };
}

async function fill(db: Client, names: readonly string[]): Promise<void> {
  for (let at = 0; at < names.length; at += 500) {
    const part = names.slice(at, at + 500).map((name): [string, string] => [name, `value of ${name}`]);
    for (const { key, error } of await db.setMany(part)) {
      if (error !== undefined) throw new Error(`${key} was not stored`, { cause: error });
    }
  }
}

async function all(keys: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const key of keys) found.push(key);
  return found;
}

const named = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index.toString().padStart(6, '0')}`);

test('a scan returns every key once, and with a prefix those that begin so', async (t) => {
  const { db, settle, cluster } = await running(1);
  t.deepEqual(await settle(all(db.keys())), []);
  const users = named('user:', 3000);
  const orders = named('order:', 200);
  await settle(fill(db, [...users, ...orders]));
  t.deepEqual((await settle(all(db.keys()))).sort(), [...orders, ...users]);
  t.deepEqual((await settle(all(db.keys({ prefix: 'order:' })))).sort(), orders);
  t.deepEqual(await settle(all(db.keys({ prefix: 'user:000123' }))), ['user:000123']);
  t.deepEqual(await settle(all(db.keys({ prefix: 'nothing' }))), []);
  await settle(db.close());
  t.is(cluster.fatal.size, 0);
});
