import test from 'ava';
import { withSetting } from '../../src/topology/epoch-change.js';
import type { Epochs } from '../../src/topology/epochs.js';
import { type BareReply, LEVEL } from '../harness/bare-client.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

function running(seed: number, nodes = 3): { cluster: SimCluster; world: SimWorld; session: SimSession } {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, { nodes });
  cluster.start();
  cluster.awaitReady();
  return { cluster, world, session: new SimSession(cluster) };
}

function epochsOf(cluster: SimCluster, name: string): Epochs {
  const { epochs } = cluster.node(name);
  if (epochs === undefined) throw new Error(`${name} is in no cluster`);
  return epochs;
}

/** Proposes the next epoch at one node. */
function propose(cluster: SimCluster, name: string, value: string): void {
  const epochs = epochsOf(cluster, name);
  epochs.propose(withSetting(epochs.current, 'test', value));
}

function areIn(cluster: SimCluster, names: readonly string[], epoch: number): boolean {
  const { world } = cluster;
  const isIn = (name: string): boolean => cluster.node(name).topology?.epoch === epoch;
  return world.runUntil(() => names.every(isIn), world.nowMs + 20_000);
}

function valueAt(cluster: SimCluster, name: string): string | undefined {
  return cluster.node(name).topology?.settings.find((setting) => setting.name === 'test')?.value;
}

test('an epoch that one node proposes comes into force on all, and is that of a restart of all', (t) => {
  const { cluster } = running(1);
  propose(cluster, 'n2', 'a');
  t.true(areIn(cluster, cluster.names, 2));
  for (const name of cluster.names) cluster.crash(name, { powerLoss: true });
  cluster.start();
  cluster.awaitReady();
  for (const name of cluster.names) {
    t.is(cluster.node(name).topology?.epoch, 2);
    t.is(valueAt(cluster, name), 'a');
  }
});

test('of epochs that all nodes propose at once one is decided, and is the same everywhere', (t) => {
  for (let seed = 1; seed <= 10; seed++) {
    const { cluster } = running(seed, 5);
    for (const name of cluster.names) propose(cluster, name, `of ${name}`);
    t.true(areIn(cluster, cluster.names, 2), `seed ${seed}`);
    t.is(new Set(cluster.names.map((name) => valueAt(cluster, name))).size, 1, `seed ${seed}`);
  }
});

test('a proposer that dies anywhere on the way leaves one epoch behind, whoever goes on', (t) => {
  for (let afterMs = 0; afterMs <= 20; afterMs++) {
    const { cluster, world } = running(100 + afterMs);
    propose(cluster, 'n1', 'first');
    world.run(world.nowMs + afterMs / 2);
    cluster.crash('n1', { powerLoss: true });
    const decided = [...['n2', 'n3'].map((name) => valueAt(cluster, name)), undefined].find(
      (value) => value !== undefined,
    );
    if (epochsOf(cluster, 'n2').current.epoch === 1) propose(cluster, 'n2', 'second');
    world.run(world.nowMs + 5000);
    cluster.start(['n1']);
    cluster.awaitReady();
    const { epoch } = epochsOf(cluster, 'n2').current;
    t.true(areIn(cluster, cluster.names, epoch));
    const values = new Set(cluster.names.map((name) => valueAt(cluster, name)));
    t.is(values.size, 1, `${afterMs}`);
    if (decided !== undefined) t.true(values.has(decided), `${afterMs}: what was in force stays`);
  }
});

test('a node that was away learns of every epoch that it missed when it is back', (t) => {
  const { cluster, session } = running(2);
  cluster.crash('n3');
  for (const [index, value] of ['a', 'b', 'c'].entries()) {
    propose(cluster, 'n1', value);
    t.true(areIn(cluster, ['n1', 'n2'], index + 2));
  }
  cluster.start(['n3']);
  t.true(areIn(cluster, cluster.names, 4));
  t.is(valueAt(cluster, 'n3'), 'c');
  t.is(session.set('n3', 'key', 'value', LEVEL.all).error, undefined);
});

test('with a majority away no epoch is decided, and it is once they are back', (t) => {
  const { cluster, world } = running(3, 5);
  for (const name of ['n3', 'n4', 'n5']) cluster.crash(name);
  propose(cluster, 'n1', 'a');
  world.run(world.nowMs + 10_000);
  t.is(cluster.node('n1').topology?.epoch, 1);
  cluster.start(['n4']);
  t.true(areIn(cluster, ['n1', 'n2', 'n4'], 2));
});

test('a write that runs while the epoch changes is counted again under the new one, and keeps its stamp', (t) => {
  const { cluster, world, session } = running(4);
  // Nobody hears of the write before the others are in the next epoch.
  world.cut('n1', 'n2');
  world.cut('n1', 'n3');
  let reply: BareReply | undefined;
  session.to('n1').set('key', 'value', LEVEL.all, (answer) => {
    reply = answer;
  });
  world.run(world.nowMs + 100);
  propose(cluster, 'n2', 'a');
  t.true(areIn(cluster, ['n2', 'n3'], 2));
  t.is(reply, undefined);
  world.heal();
  t.true(world.runUntil(() => reply !== undefined, world.nowMs + 2000));
  t.is(reply?.error, undefined);
  t.is(cluster.node('n1').topology?.epoch, 2);
  const { stamp } = session.quorumGet('n3', 'key', 255).quorum ?? {};
  t.deepEqual(stamp, { counter: reply?.counter, node: 1 });
});

test('a read that runs while the epoch changes is answered under the new one', (t) => {
  const { cluster, world, session } = running(5);
  session.set('n2', 'key', 'value');
  world.cut('n1', 'n2');
  world.cut('n1', 'n3');
  let reply: BareReply | undefined;
  session.to('n1').get('key', LEVEL.quorum, (answer) => {
    reply = answer;
  });
  propose(cluster, 'n2', 'a');
  t.true(areIn(cluster, ['n2', 'n3'], 2));
  world.heal();
  t.true(world.runUntil(() => reply !== undefined, world.nowMs + 2000));
  t.is(reply?.value, 'value');
});
