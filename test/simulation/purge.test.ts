import test from 'ava';
import { LEVEL } from '../harness/bare-client.js';
import {
  keysBeside,
  metricSum,
  partitionOf,
  runUntilQuiet,
  smuggle,
  storeOf,
  tombstones,
} from '../harness/sim-audit.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

/** A few cycles of comparison and a purge. */
const PURGED_WITHIN_MS = 30_000;

interface Running {
  readonly cluster: SimCluster;
  readonly world: SimWorld;
  readonly session: SimSession;
}

function running(seed: number, nodes = 3): Running {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, { nodes });
  cluster.start();
  cluster.awaitReady();
  return { cluster, world, session: new SimSession(cluster) };
}

function floorAt({ cluster }: Running, name: string, key: string): number {
  return storeOf(cluster, name).audit.floorOf(partitionOf(cluster, key)).counter;
}

function isolate({ world, cluster }: Running, name: string): void {
  for (const other of cluster.names) if (other !== name) world.cut(name, other);
}

test('deleted keys are purged on every node once all hold the deletions, and stay deleted', (t) => {
  const run = running(1);
  const { cluster, session, world } = run;
  for (let index = 0; index < 60; index++) session.set('n1', `key-${index}`, `value-${index}`);
  for (let index = 0; index < 60; index += 2) session.delete('n2', `key-${index}`);
  t.true(tombstones(cluster) > 0);
  t.true(runUntilQuiet(world, () => tombstones(cluster) === 0, PURGED_WITHIN_MS));
  t.is(metricSum(cluster, 'audit_purged_total'), 90);
  for (let index = 0; index < 60; index++) {
    for (const name of cluster.names) {
      t.is(session.get(name, `key-${index}`).value, index % 2 === 0 ? undefined : `value-${index}`);
    }
  }
  // Absent keys are absent: nobody writes tombstones back for floors that differ.
  world.run(world.nowMs + 5000);
  t.is(tombstones(cluster), 0);
  t.deepEqual([...cluster.fatal], []);
});

test('a purged key can be written and deleted again, and every write is stamped above the floor', (t) => {
  const run = running(2);
  const { cluster, session, world } = run;
  session.set('n1', 'k', '1');
  session.delete('n1', 'k');
  t.true(runUntilQuiet(world, () => tombstones(cluster) === 0, PURGED_WITHIN_MS));
  const absent = session.get('n3', 'k');
  t.true(absent.absent);
  t.is(absent.counter, floorAt(run, 'n3', 'k'));
  const written = session.set('n3', 'k', '2');
  t.true(written.counter > floorAt(run, 'n1', 'k'));
  for (const name of cluster.names) t.is(session.get(name, 'k').value, '2');
});

test('a node that is away blocks purging, a metric says which, and its return ends that', (t) => {
  const run = running(3);
  const { cluster, session, world } = run;
  cluster.crash('n3');
  world.run(world.nowMs + 3000);
  session.set('n1', 'k', 'x');
  session.delete('n1', 'k');
  world.run(world.nowMs + PURGED_WITHIN_MS);
  t.is(storeOf(cluster, 'n1').stats().tombstones, 1);
  const blocked = (member: number): number | undefined =>
    cluster.ports('n1').telemetry.metric('purge_blocked_partitions', { member });
  t.is(blocked(3), 1);
  t.is(blocked(2), 0);
  t.true((cluster.ports('n1').telemetry.metric('purge_oldest_seconds') ?? 0) > 20);
  cluster.start(['n3']);
  cluster.awaitReady();
  t.true(runUntilQuiet(world, () => tombstones(cluster) === 0, PURGED_WITHIN_MS));
  t.is(blocked(3), 0);
});

test('a node that slept through a deletion does not bring the key back', (t) => {
  const { cluster, session, world } = running(4);
  session.set('n1', 'k', 'x', LEVEL.all);
  cluster.crash('n3');
  world.run(world.nowMs + 3000);
  session.delete('n1', 'k');
  // The dead node owns a copy of "x": nothing is purged while it cannot be asked.
  world.run(world.nowMs + PURGED_WITHIN_MS);
  cluster.start(['n3']);
  cluster.awaitReady();
  t.true(runUntilQuiet(world, () => tombstones(cluster) === 0, PURGED_WITHIN_MS));
  for (const name of cluster.names) t.true(session.get(name, 'k', LEVEL.one).absent);
});

test('no resurrection: purged keys stay away through power losses of all nodes and catch-up from old cursors', (t) => {
  for (let seed = 10; seed < 18; seed++) {
    const { cluster, session, world } = running(seed);
    for (let index = 0; index < 40; index++) session.set('n1', `key-${index}`, 'dead');
    for (let index = 0; index < 40; index++) session.delete('n2', `key-${index}`);
    const purgedEnough = (): boolean => tombstones(cluster) < 60;
    t.true(runUntilQuiet(world, purgedEnough, PURGED_WITHIN_MS));
    for (const name of cluster.names) cluster.crash(name, { powerLoss: true });
    cluster.start();
    cluster.awaitReady();
    t.true(runUntilQuiet(world, () => tombstones(cluster) === 0, PURGED_WITHIN_MS));
    for (const name of cluster.names) {
      for (let index = 0; index < 40; index++) {
        t.true(session.get(name, `key-${index}`, LEVEL.one).absent, `seed ${seed}: key-${index} at ${name}`);
      }
    }
    t.deepEqual([...cluster.fatal], []);
  }
});

test('counterexample 5: a node whose peer purged does not drop its own copy, and an acknowledged write is read', (t) => {
  const run = running(20);
  const { cluster, session, world } = run;
  session.delete('n1', 'd', LEVEL.all);
  const [key] = keysBeside(cluster, 'd', 'r', 1);
  // R0 = n1 can compare with both, n2 and n3 cannot compare with each other: n1 alone purges.
  world.cut('n2', 'n3');
  t.true(world.runUntil(() => floorAt(run, 'n1', 'd') > 0, world.nowMs + PURGED_WITHIN_MS));
  t.is(floorAt(run, 'n2', 'd'), 0);
  // r is acknowledged by n3 and n2 while n1 is away.
  isolate(run, 'n1');
  world.heal('n2', 'n3');
  t.true(world.runUntil(() => cluster.node('n3').membership?.reachable(2) === true, world.nowMs + 10_000));
  t.is(session.set('n3', key, 'r').error, undefined);
  // n1 comes back below nobody's floor but its own; n3 leaves before n1 hears of r.
  isolate(run, 'n3');
  world.heal('n1', 'n2');
  t.true(world.runUntil(() => cluster.node('n1').membership?.reachable(2) === true, world.nowMs + 10_000));
  t.is(session.get('n1', key).value, 'r');
  world.run(world.nowMs + PURGED_WITHIN_MS);
  for (const name of ['n1', 'n2']) t.is(session.get(name, key).value, 'r');
});

test('counterexample 6: a floor is never taken over from a peer, and an acknowledged write is read', (t) => {
  const run = running(21);
  const { cluster, session, world } = run;
  const deletion = session.delete('n1', 'd', LEVEL.all);
  const [key] = keysBeside(cluster, 'd', 'r', 1);
  // R1 = n2 never compares with R2 = n3; R0 = n1 compares with n2 first.
  world.cut('n2', 'n3');
  world.cut('n1', 'n3');
  const compared = (): boolean =>
    (cluster.node('n1').replication?.audit.peers[2]?.evidence.of(partitionOf(cluster, 'd')) ?? 0) > 0;
  t.true(world.runUntil(compared, world.nowMs + PURGED_WITHIN_MS));
  world.cut('n1', 'n2');
  // r, with a stamp below the deletion's, from n3 reaches n1: acknowledged by both.
  for (const name of ['n1', 'n3']) smuggle(cluster, name, key, 'r', deletion.counter - 1);
  world.heal('n1', 'n3');
  t.true(world.runUntil(() => floorAt(run, 'n1', 'd') >= deletion.counter, world.nowMs + PURGED_WITHIN_MS));
  // n2 meets n1, whose floor is above its own, while n3 is away; it is asked at once.
  isolate(run, 'n3');
  world.heal('n1', 'n2');
  t.true(world.runUntil(() => cluster.node('n2').membership?.reachable(1) === true, world.nowMs + 10_000));
  t.is(session.get('n2', key).value, 'r');
  world.run(world.nowMs + PURGED_WITHIN_MS);
  t.is(floorAt(run, 'n2', 'd'), 0, 'n2 has no evidence about n3');
  t.is(session.get('n2', key, LEVEL.one).value, 'r', 'and was repaired');
  world.heal();
  t.true(runUntilQuiet(world, () => tombstones(cluster) === 0, PURGED_WITHIN_MS));
  for (const name of cluster.names) t.is(session.get(name, key).value, 'r');
});
