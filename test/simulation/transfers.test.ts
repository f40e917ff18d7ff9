import test from 'ava';
import type { ChangeRequest } from '../../src/topology/epoch-change.js';
import { LEVEL } from '../harness/bare-client.js';
import { ownersOf } from '../harness/owner-versions.js';
import { SimChange } from '../harness/sim-change.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { useFastCrypto } from '../harness/sim-crypto.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

interface Stage {
  readonly world: SimWorld;
  readonly cluster: SimCluster;
  readonly session: SimSession;
  readonly change: SimChange;
}

useFastCrypto();

/** Three nodes that form a cluster, and others that wait to join. */
function staged(seed: number, nodes = 4): Stage {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, { nodes, founders: 3 });
  const founders = ['n1', 'n2', 'n3'];
  cluster.start(founders);
  cluster.awaitReady(founders);
  // Who waits to join is let in by the tests, and not by itself.
  for (const name of founders) cluster.node(name).changes?.stop();
  cluster.start(cluster.names.slice(founders.length));
  return { world, cluster, session: new SimSession(cluster), change: new SimChange(cluster) };
}

function fill(session: SimSession, keys: number, value = 'v'): string[] {
  const names = Array.from({ length: keys }, (_, index) => `key-${index}`);
  for (const name of names) session.set('n1', name, `${value} ${name}`);
  return names;
}

test('a node that joins holds what it owns, and reads find it there', (t) => {
  const { cluster, session, change, world } = staged(1);
  const keys = fill(session, 200);
  change.begin('n1', [change.joinOf('n4')], cluster.names);
  change.awaitComplete(cluster.names);
  change.commit('n2', cluster.names);
  for (const key of keys) {
    t.is(session.get('n4', key, LEVEL.quorum).value, `v ${key}`);
    for (const version of ownersOf(world, cluster, key))
      t.true(version !== 'down' && version.text() === `v ${key}`, key);
  }
  for (const name of ['n1', 'n2', 'n3']) change.awaitDrained(name);
});

test('a node that leaves hands over what it has, and holds nothing in the end', (t) => {
  const { cluster, session, change, world } = staged(2);
  const { names } = cluster;
  const keys = fill(session, 100);
  move(change, [change.joinOf('n4')], names);
  move(change, [change.leaveOf('n2')], names);
  change.awaitDrained('n2');
  t.is(keysAt(cluster, 'n2'), 0);
  for (const key of keys) {
    const versions = ownersOf(world, cluster, key);
    t.deepEqual(versions.map((version) => version !== 'down' && version.node).sort(), ['n1', 'n3', 'n4']);
    t.true(versions.every((version) => version !== 'down' && version.text() === `v ${key}`));
  }
});

test('a joiner and a source that die on the way go on where they were', (t) => {
  for (const victim of ['n4', 'n1', 'n2', 'n3']) {
    const { cluster, session, change, world } = staged(3);
    const { names } = cluster;
    fill(session, 300, 'x'.repeat(5000));
    for (const name of names) slow(cluster, name);
    change.begin('n1', [change.joinOf('n4')], names);
    for (let again = 0; again < 2; again++) {
      world.run(world.nowMs + 60);
      if (again === 0) t.false(change.areComplete(names), `${victim}: it was too fast to be interrupted`);
      cluster.crash(victim, { powerLoss: true });
      cluster.start([victim]);
      cluster.awaitReady(['n1', 'n2', 'n3']);
      // One that is joining is not ready, but goes on.
      const goesOn = (): boolean => cluster.node(victim).transfers !== undefined;
      t.true(world.runUntil(goesOn, world.nowMs + 20_000));
    }
    for (const name of names) change.transfers(name).bytesPerSecond = 100_000_000;
    change.awaitComplete(names);
    change.commit('n1', names);
    t.is(session.get('n4', 'key-299').value?.length, 5000 + ' key-299'.length);
  }
});

test('a change that is paused stands still, and goes on', (t) => {
  const { cluster, session, change, world } = staged(4);
  const { names } = cluster;
  fill(session, 300, 'x'.repeat(5000));
  for (const name of names) slow(cluster, name);
  change.begin('n1', [change.joinOf('n4')], names);
  change.pause('n2', true, names);
  for (const name of names) change.transfers(name).bytesPerSecond = 100_000_000;
  const before = change.transfers('n4').progress();
  world.run(world.nowMs + 20_000);
  t.deepEqual(change.transfers('n4').progress(), before);
  t.true(before.filled < before.partitions);
  change.pause('n3', false, names);
  change.awaitComplete(names);
});

test('what was filled for a change that was aborted does not count for the next one, and is dropped', (t) => {
  const { cluster, session, change, world } = staged(5, 5);
  const { names } = cluster;
  const keys = fill(session, 100);
  move(change, [change.joinOf('n4'), change.joinOf('n5')], names);
  for (const name of names) change.awaitDrained(name);
  const heavier = (weight: number): ChangeRequest => ({ kind: 'weigh', node: cluster.node('n4').number, weight });
  const owned = keysAt(cluster, 'n4');
  change.begin('n1', [heavier(4)], names);
  change.awaitComplete(names);
  t.true(keysAt(cluster, 'n4') > owned);
  change.abort('n1', names);
  // Deleted and purged while n4 is no owner of them: what it had taken must not come back.
  for (const key of keys) session.delete('n1', key);
  t.true(
    world.runUntil(() => ['n1', 'n2', 'n3', 'n4', 'n5'].every((name) => purged(cluster, name)), world.nowMs + 60_000),
  );
  change.begin('n2', [heavier(4)], names);
  change.awaitComplete(names);
  change.commit('n3', names);
  for (const name of names) t.is(cluster.node(name).store?.stats().keys, 0, name);
});

test('a node that was away while it lost its partitions hands over what nobody else has, before it drops it', (t) => {
  const { cluster, session, change, world } = staged(6, 6);
  const names = ['n1', 'n2', 'n4', 'n5', 'n6'];
  move(change, [change.joinOf('n4')], ['n1', 'n2', 'n3', 'n4']);
  const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
  const { number } = cluster.node('n3');
  const owned = keys.filter((key) =>
    ownersOf(world, cluster, key).some((held) => held !== 'down' && held.node === 'n3'),
  );
  for (const name of ['n1', 'n2', 'n4']) cluster.crash(name);
  for (const key of owned) t.is(session.set('n3', key, `only ${key}`, LEVEL.one).error, undefined);
  cluster.crash('n3');
  cluster.start(['n1', 'n2', 'n4']);
  cluster.awaitReady(['n1', 'n2', 'n4']);
  move(change, [change.joinOf('n5'), change.joinOf('n6'), { kind: 'weigh', node: number, weight: 0.05 }], names);
  const lost = owned.filter((key) => !ownersOf(world, cluster, key).some((held) => held === 'down'));
  t.true(lost.length > 0);
  // Nothing of it may be purged while n3 has not said that it is rid of it.
  for (const key of lost) t.true(session.get('n1', key).absent);
  cluster.start(['n3']);
  cluster.awaitReady();
  change.awaitDrained('n3');
  for (const key of lost) t.is(session.get('n1', key).value, `only ${key}`);
});

test('while a former owner is away nothing of its partitions is purged; once it is rid of them it is', (t) => {
  const { cluster, session, change, world } = staged(7, 4);
  const keys = fill(session, 60);
  cluster.crash('n3');
  const others = ['n1', 'n2', 'n4'];
  move(change, [change.joinOf('n4'), { kind: 'weigh', node: cluster.node('n3').number, weight: 0.05 }], others);
  const moved = keys.filter((key) => !ownersOf(world, cluster, key).includes('down'));
  t.true(moved.length > 0);
  for (const key of moved) session.delete('n1', key);
  world.run(world.nowMs + 30_000);
  for (const key of moved) {
    t.true(
      ownersOf(world, cluster, key).every((held) => held !== 'down' && !held.absent),
      key,
    );
  }
  cluster.start(['n3']);
  cluster.awaitReady();
  t.true(
    world.runUntil(
      () => moved.every((key) => ownersOf(world, cluster, key).every((held) => held !== 'down' && held.absent)),
      world.nowMs + 60_000,
    ),
  );
  for (const key of moved) t.true(session.get('n3', key).absent);
});

/** A change from its beginning to its end. */
function move(change: SimChange, requests: readonly ChangeRequest[], names: readonly string[]): void {
  change.begin(names[0], requests, names);
  change.awaitComplete(names);
  change.commit(names[0], names);
}

function keysAt(cluster: SimCluster, name: string): number {
  const stats = cluster.node(name).store?.stats();
  return (stats?.keys ?? 0) + (stats?.tombstones ?? 0);
}

function purged(cluster: SimCluster, name: string): boolean {
  return keysAt(cluster, name) === 0;
}

function slow(cluster: SimCluster, name: string): void {
  const { transfers } = cluster.node(name);
  if (transfers !== undefined) transfers.bytesPerSecond = 2_000_000;
}
