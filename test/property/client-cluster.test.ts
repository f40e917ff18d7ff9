import { createClient, type MemDbError } from '@memdb/client';
import test from 'ava';
import fc from 'fast-check';
import { SIM_PORT, SimCluster } from '../harness/sim-cluster.js';
import { SimWorld } from '../harness/sim-world.js';
import { TEST_KEYS } from '../harness/test-keys.js';

const WRITERS = 10;
const WRITES = 60;

test('through the client, a node killed in mid-load loses no acknowledged write, and only writes it had are unknown', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
      const world = new SimWorld(seed);
      const cluster = new SimCluster(world, { nodes: 3 });
      cluster.start();
      cluster.awaitReady();
      const seeds = cluster.names.map((host) => ({ host, port: SIM_PORT }));
      const db = createClient({ ports: world.createPorts('client'), seeds, key: TEST_KEYS.client });
      const settle = <Result>(promise: Promise<Result>): Promise<Result> => world.settle(promise, world.nowMs + 60_000);
      await settle(db.ready());

      const acknowledged: string[] = [];
      const errors: MemDbError[] = [];
      const write = async (writer: number): Promise<void> => {
        for (let index = 0; index < WRITES; index++) {
          const key = `${writer}:${index}`;
          await db.set(key, `value of ${key}`).then(
            () => acknowledged.push(key),
            (error: MemDbError) => errors.push(error),
          );
        }
      };
      const victim = `n${1 + world.random.below(3)}`;
      world.at(world.nowMs + 20 + world.random.below(200), () => cluster.crash(victim));
      await settle(Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer))));
      t.true(errors.length <= WRITERS, `${errors.length} errors`);
      t.true(errors.every(({ outcome }) => outcome === 'unknown'));

      const check = async (): Promise<void> => {
        const found = await settle(db.getMany(acknowledged));
        for (const { key, value, error } of found) t.is(value, `value of ${key}`, error?.message);
      };
      await check();
      cluster.start([victim]);
      cluster.awaitReady();
      world.run(world.nowMs + 3000);
      t.is(db.stats.connections, 3);
      await check();
      await settle(db.close());
      t.is(cluster.fatal.size, 0);
    }),
    { numRuns: 10, includeErrorInReport: true },
  );
});
