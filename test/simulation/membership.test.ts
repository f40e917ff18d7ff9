import test from 'ava';
import { withSetting } from '../../src/topology/epoch-change.js';
import { LEVEL } from '../harness/bare-client.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { useFastCrypto } from '../harness/sim-crypto.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

useFastCrypto();

interface Running {
  readonly cluster: SimCluster;
  readonly world: SimWorld;
  readonly session: SimSession;
}

function running(seed: number, nodes: number, seeds?: readonly string[]): Running {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, { nodes, ...(seeds === undefined ? {} : { seeds }) });
  cluster.start();
  cluster.awaitReady();
  return { cluster, world, session: new SimSession(cluster) };
}

const stateOf = ({ cluster }: Running, at: string, of: string): string | undefined =>
  cluster
    .node(at)
    .membership?.view()
    .find(({ uuid }) => uuid === cluster.node(of).uuid)?.state;

test('members find each other though every one of them has moved away from every seed, one after the other', (t) => {
  const { cluster, world, session } = running(1, 3);
  session.set('n1', 'k', 'v');
  for (const name of cluster.names) {
    cluster.crash(name, { powerLoss: true });
    cluster.start([name], `${name}-moved`);
    cluster.awaitReady();
  }
  world.run(world.nowMs + 3000);
  for (const name of cluster.names) cluster.crash(name, { powerLoss: true });
  // No seed lives: what was kept of the members is all there is.
  for (const name of cluster.names) cluster.start([name], `${name}-moved`);
  cluster.awaitReady();
  t.is(session.get('n2-moved', 'k').value, 'v');
});

test('nodes that all moved at once meet at the one seed that lives', (t) => {
  const { cluster, session } = running(2, 4);
  session.set('n1', 'k', 'v');
  for (const name of cluster.names) cluster.crash(name, { powerLoss: true });
  cluster.start(['n1']);
  for (const name of ['n2', 'n3', 'n4']) cluster.start([name], `${name}-moved`);
  cluster.awaitReady();
  t.is(session.get('n1', 'k').value, 'v');
});

test('a node that was away learns of the epochs, moves and deaths that it missed, from any member', (t) => {
  const run = running(3, 5);
  const { cluster, world } = run;
  cluster.crash('n1', { powerLoss: false });
  const { epochs } = cluster.node('n2');
  if (epochs === undefined) throw new Error('n2 is in no cluster');
  epochs.propose(withSetting(epochs.current, 'test', 'while n1 was away'));
  t.true(world.runUntil(() => cluster.node('n5').topology?.epoch === 2, world.nowMs + 10_000));
  cluster.shutDown('n2');
  cluster.start(['n2'], 'n2-moved');
  cluster.crash('n3', { powerLoss: false, machineDown: true });
  world.run(world.nowMs + 60_000);
  cluster.start(['n1']);
  cluster.awaitReady(['n1', 'n2', 'n4', 'n5']);
  t.true(world.runUntil(() => cluster.node('n1').topology?.epoch === 2, world.nowMs + 15_000));
  t.true(world.runUntil(() => stateOf(run, 'n1', 'n3') === 'dead', world.nowMs + 15_000));
  const view = cluster.node('n1').membership?.view() ?? [];
  t.is(view.find(({ number }) => number === 2)?.address, 'n2-moved:10000');
});

test('who sees an epoch in gossip alone fetches it', (t) => {
  const { cluster, world } = running(4, 4);
  const [behind, ahead] = ['n1', 'n4'];
  // Only gossip leads from those who decide to n1: it hears of n4 through n2 and n3, which hear nothing of the epoch.
  const { epochs } = cluster.node(ahead);
  if (epochs === undefined) throw new Error(`${ahead} is in no cluster`);
  epochs.propose(withSetting(epochs.current, 'test', 'x'));
  const isKnown = (): boolean => {
    const held = cluster.node(behind).membership?.swim.others.get(cluster.node(ahead).uuid);
    return held?.profile.epoch === 2 && cluster.node(behind).topology?.epoch === 2;
  };
  t.true(world.runUntil(isKnown, world.nowMs + 15_000));
});

test('an epoch of a large cluster is told by who decided it, and reaches those that were cut off by gossip', (t) => {
  const { cluster, world } = running(9, 34);
  const { epochs } = cluster.node('n2');
  if (epochs === undefined) throw new Error('n2 is in no cluster');
  // Whoever decides cannot tell n1, and nobody else tells unasked.
  world.cut('n2', 'n1');
  epochs.propose(withSetting(epochs.current, 'test', 'x'));
  const isEverywhere = (): boolean => cluster.names.every((name) => cluster.node(name).topology?.epoch === 2);
  t.true(world.runUntil(isEverywhere, world.nowMs + 15_000));
});

test('a node that is stopped in order says so, and one that dies is found out; both are told of, with the reason', (t) => {
  const run = running(5, 5);
  const { cluster, world } = run;
  cluster.shutDown('n4');
  t.true(
    world.runUntil(() => stateOf(run, 'n1', 'n4') === 'left', world.nowMs + 2000),
    cluster.log(['n1']),
  );
  cluster.crash('n5', { powerLoss: true, machineDown: true });
  t.true(world.runUntil(() => stateOf(run, 'n1', 'n5') === 'suspect', world.nowMs + 15_000));
  t.true(world.runUntil(() => stateOf(run, 'n1', 'n5') === 'dead', world.nowMs + 30_000));
  const [left, dead] = [4, 5].map((number) =>
    cluster
      .node('n1')
      .membership?.view()
      .find((each) => each.number === number),
  );
  t.is(left?.why, 'it was stopped in order');
  t.regex(dead?.why ?? '', /^it did not answer node \d in time$/);
  t.true((dead?.sinceMs ?? 0) > (left?.sinceMs ?? 0));
});

test('a cut through the middle heals without a restart, however long it lasted', (t) => {
  for (const [seed, cutMs] of [
    [6, 5000],
    [7, 120_000],
  ] as const) {
    const run = running(seed, 5);
    const { cluster, world } = run;
    for (const one of ['n1', 'n2']) for (const other of ['n3', 'n4', 'n5']) world.cut(one, other);
    world.run(world.nowMs + cutMs);
    if (cutMs > 60_000) t.is(stateOf(run, 'n1', 'n4'), 'dead');
    world.heal();
    cluster.awaitReady();
    const isWhole = (): boolean =>
      cluster.names.every((at) => cluster.names.every((of) => stateOf(run, at, of) === 'alive'));
    t.true(world.runUntil(isWhole, world.nowMs + 60_000));
    for (const name of cluster.names) t.is(cluster.node(name).generation, 1);
  }
});

test('a peer whose machine vanished is not counted on after 1.4 s at the latest, and one whose process died at once', (t) => {
  for (let seed = 10; seed < 20; seed++) {
    const { cluster, world, session } = running(seed, 3);
    world.run(world.nowMs + 5000 + world.random.below(1000));
    const lost = (of: number): boolean =>
      ['n1', 'n2'].every((name) => cluster.node(name).membership?.reachable(of) === false);
    cluster.crash('n3', { powerLoss: false, machineDown: true });
    let startedMs = world.nowMs;
    t.true(world.runUntil(() => lost(3), world.nowMs + 10_000));
    const silentMs = world.nowMs - startedMs;
    t.true(silentMs <= 1420, `seed ${seed}: ${silentMs} ms`);
    cluster.start(['n3']);
    cluster.awaitReady();
    // A node that starts is ahead in stamps, and the others first make their lease of the clock longer.
    session.set('n1', 'k', 'v');
    world.run(world.nowMs + 100);
    cluster.crash('n3', { powerLoss: false });
    startedMs = world.nowMs;
    t.true(world.runUntil(() => lost(3), world.nowMs + 10_000));
    t.true(world.nowMs - startedMs < 20, `seed ${seed}: ${world.nowMs - startedMs} ms`);
    t.is(session.set('n1', 'k', 'v').error, undefined);
    t.is(session.set('n1', 'k', 'v', LEVEL.all).error?.outcome, 'not-applied');
  }
});

test('a suspect that answers this node is counted on all the same: who owns what does not change', (t) => {
  const run = running(8, 5);
  const { cluster, world, session } = run;
  const { replication } = cluster.node('n1');
  const before = replication?.sets.preferenceOfHash(1);
  for (const other of ['n2', 'n3', 'n4']) world.cut('n5', other);
  world.run(world.nowMs + 30_000);
  t.true(cluster.node('n1').membership?.reachable(cluster.node('n5').number));
  t.deepEqual(replication?.sets.preferenceOfHash(1), before);
  t.is(session.set('n1', 'k', 'v').error, undefined);
});
