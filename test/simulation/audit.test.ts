import test from 'ava';
import { LEVEL } from '../harness/bare-client.js';
import { equalTables, repaired, runUntilQuiet, smuggle } from '../harness/sim-audit.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

/** Twice a cycle, two looks at a difference and its repair. */
const REPAIRED_WITHIN_MS = 10_000;

function running(seed: number, nodes = 3): { cluster: SimCluster; world: SimWorld; session: SimSession } {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, { nodes });
  cluster.start();
  cluster.awaitReady();
  return { cluster, world, session: new SimSession(cluster) };
}

test('versions that only one replica holds, and no log knows of, reach all replicas', (t) => {
  const { cluster, session, world } = running(1);
  for (let index = 0; index < 100; index++) session.set('n1', `key-${index}`, `old-${index}`);
  for (let index = 0; index < 150; index++) {
    const name = cluster.names[index % 3];
    smuggle(cluster, name, `key-${index}`, index % 5 === 0 ? undefined : `new-${index}`, 1_000_000 + index);
  }
  t.false(equalTables(cluster));
  t.true(runUntilQuiet(world, () => equalTables(cluster), REPAIRED_WITHIN_MS));
  for (let index = 0; index < 150; index++) {
    for (const name of cluster.names) {
      t.is(session.get(name, `key-${index}`, LEVEL.one).value, index % 5 === 0 ? undefined : `new-${index}`);
    }
  }
  t.true(repaired(cluster) >= 300, 'each of 150 versions was fetched by two nodes');
  t.deepEqual([...cluster.fatal], []);
});

test('a repair never takes an older version over a newer one', (t) => {
  const { cluster, session, world } = running(2);
  for (let index = 0; index < 50; index++) {
    smuggle(cluster, 'n1', `key-${index}`, 'older', 1000 + index);
    smuggle(cluster, 'n2', `key-${index}`, 'newer', 2000 + index);
  }
  t.true(runUntilQuiet(world, () => equalTables(cluster), REPAIRED_WITHIN_MS));
  for (let index = 0; index < 50; index++) {
    for (const name of cluster.names) t.is(session.get(name, `key-${index}`, LEVEL.one).value, 'newer');
  }
});

test('a replica repairs what it lacks while writes go on, and fetches little of what is only on its way', (t) => {
  const { cluster, session, world } = running(3);
  const writes = 4000;
  let answered = 0;
  for (let index = 0; index < writes; index++) {
    const client = session.to(cluster.names[index % 3]);
    world.at(world.nowMs + index * 2.5, () => {
      client.set(`busy-${index % 500}`, `${index}`, LEVEL.quorum, () => answered++);
    });
  }
  for (let index = 0; index < 60; index++) smuggle(cluster, 'n2', `missing-${index}`, 'x', 1_000_000 + index);
  const has = (): boolean => {
    for (const name of cluster.names) {
      for (let index = 0; index < 60; index++) {
        if (session.get(name, `missing-${index}`, LEVEL.one).value !== 'x') return false;
      }
    }
    return true;
  };
  world.run(world.nowMs + REPAIRED_WITHIN_MS);
  t.true(has());
  t.true(answered > writes / 2);
  t.true(repaired(cluster) - 120 < writes / 20, `${repaired(cluster) - 120} of ${writes} writes were fetched too`);
});

test('a cluster at rest agrees in one short message a cycle and peer', (t) => {
  const { cluster, session, world } = running(4);
  for (let index = 0; index < 50; index++) session.set('n1', `key-${index}`, 'v');
  world.run(world.nowMs + 5000);
  const cycles = (): number => cluster.ports('n1').telemetry.metric('audit_cycles_total') ?? 0;
  const differing = (): number => cluster.ports('n1').telemetry.metric('audit_differing_buckets_total') ?? 0;
  const [cyclesBefore, differingBefore] = [cycles(), differing()];
  world.run(world.nowMs + 20_000);
  t.true(cycles() - cyclesBefore >= 16, 'two peers, every two seconds');
  t.is(differing(), differingBefore);
  t.is(repaired(cluster), 0);
});

test('a version of its own that a node lost comes back to it, and goes on to the others by its stream', (t) => {
  const { cluster, session, world } = running(5);
  session.set('n3', 'before', 'x');
  world.run(world.nowMs + 3000);
  // n3 had sent it to n1 and crashed before its own sync: only n1 holds it. n1 and n2 cannot compare.
  world.cut('n1', 'n2');
  const counter = (cluster.node('n3').lamport?.current ?? 0) + 1;
  smuggle(cluster, 'n1', 'mine', 'x', counter, cluster.node('n3').number);
  const at = (name: string): boolean => session.get(name, 'mine', LEVEL.one).value === 'x';
  t.true(world.runUntil(() => repaired(cluster) > 0, world.nowMs + REPAIRED_WITHIN_MS));
  world.run(world.nowMs + 100);
  t.true(at('n3'));
  t.true(at('n2'), 'sooner than any comparison could find it');
  t.is(repaired(cluster), 1);
});
