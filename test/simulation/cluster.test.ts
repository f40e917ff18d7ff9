import test from 'ava';
import { LEVEL } from '../harness/bare-client.js';
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

test('founders started in any order, far apart, form one cluster exactly once', (t) => {
  const world = new SimWorld(1);
  const cluster = new SimCluster(world, { nodes: 3 });
  cluster.start(['n3']);
  world.run(60_000);
  t.regex(cluster.node('n3').ready() ?? '', /not formed/);
  cluster.start(['n1']);
  world.run(120_000);
  cluster.start(['n2']);
  cluster.awaitReady();
  const ids = cluster.names.map((name) => Buffer.from(cluster.node(name).topology?.clusterId ?? []).toString('hex'));
  t.is(new Set(ids).size, 1);
  t.deepEqual(
    cluster.names.map((name) => cluster.node(name).number),
    [1, 2, 3],
  );
});

test('a founder that comes back with an empty disk founds no second cluster', (t) => {
  const { cluster, world } = running(2);
  const clusterId = cluster.node('n2').topology?.clusterId;
  cluster.crash('n1');
  world.disk('n1').wipe();
  cluster.start(['n1']);
  world.run(world.nowMs + 20_000);
  t.regex(cluster.node('n1').ready() ?? '', /not formed/);
  t.deepEqual(cluster.node('n2').topology?.clusterId, clusterId);
  t.true(cluster.ports('n1').telemetry.lines.some((line) => line.event === 'founding-waits'));
});

test('what one node acknowledged at quorum, every node reads at quorum', (t) => {
  const { session } = running(3);
  for (let index = 0; index < 30; index++) {
    t.is(session.set(`n${(index % 3) + 1}`, `key-${index}`, `value-${index}`).error, undefined);
  }
  for (let index = 0; index < 30; index++) {
    for (const name of ['n1', 'n2', 'n3']) t.is(session.get(name, `key-${index}`).value, `value-${index}`);
  }
  t.true(session.get('n2', 'never written').absent);
});

test('a write at quorum goes on with one node dead and fails fast, not applied, with two dead', (t) => {
  const { cluster, session, world } = running(4);
  cluster.crash('n3');
  world.run(world.nowMs + 3000);
  t.is(session.set('n1', 'a', '1').error, undefined);
  cluster.crash('n2');
  world.run(world.nowMs + 3000);
  const before = world.nowMs;
  const refused = session.set('n1', 'a', '2');
  t.is(refused.error?.code, 'unavailable');
  t.is(refused.error?.outcome, 'not-applied');
  t.true(world.nowMs - before < 100);
  t.is(session.set('n1', 'a', '3', LEVEL.one).error, undefined);
  t.is(session.get('n1', 'a', LEVEL.one).value, '3');
});

test('a node that was away is caught up from the logs of its peers, without being read', (t) => {
  const { cluster, session, world } = running(5);
  session.set('n1', 'before', 'x');
  cluster.crash('n3');
  for (let index = 0; index < 200; index++) session.set('n1', `a-${index}`, `${index}`);
  for (let index = 0; index < 200; index++) session.set('n2', `b-${index}`, `${index}`);
  session.delete('n2', 'before');
  cluster.start(['n3']);
  cluster.awaitReady();
  const caughtUp = (): boolean =>
    ['n1', 'n2'].every((name) => cluster.node(name).replication?.streams[3]?.idle === true);
  t.true(world.runUntil(caughtUp, world.nowMs + 10_000));
  for (let index = 0; index < 200; index++) {
    t.is(session.get('n3', `a-${index}`, LEVEL.one).value, `${index}`);
    t.is(session.get('n3', `b-${index}`, LEVEL.one).value, `${index}`);
  }
  t.true(session.get('n3', 'before', LEVEL.one).absent);
});

test('catch-up goes on where it stopped: a short absence streams what was missed, not the whole log', (t) => {
  const { cluster, session, world } = running(6);
  for (let index = 0; index < 300; index++) session.set('n1', `a-${index}`, 'x'.repeat(200));
  world.run(world.nowMs + 3000);
  const before = cluster.node('n3').store?.lastLsn ?? 0;
  cluster.shutDown('n3');
  session.set('n1', 'missed', 'y');
  cluster.start(['n3']);
  cluster.awaitReady();
  world.run(world.nowMs + 3000);
  t.is(session.get('n3', 'missed', LEVEL.one).value, 'y');
  t.true((cluster.node('n3').store?.lastLsn ?? 0) - before < 40);
});

test('a node that restarts rejoins by itself, on a new address too', (t) => {
  const { cluster, session, world } = running(7);
  session.set('n1', 'k', 'v');
  cluster.crash('n2');
  cluster.start(['n2'], 'n2-moved');
  cluster.awaitReady();
  t.is(session.set('n2-moved', 'k', 'w', LEVEL.all).error, undefined);
  cluster.crash('n1');
  cluster.start(['n1']);
  cluster.awaitReady();
  t.is(session.get('n1', 'k').value, 'w');
  world.run(world.nowMs + 1000);
});

test('deleted keys stay deleted after every node lost power', (t) => {
  const { cluster, session } = running(8);
  session.set('n1', 'gone', 'x');
  t.is(session.delete('n2', 'gone').error, undefined);
  for (const name of cluster.names) cluster.crash(name);
  cluster.start();
  cluster.awaitReady();
  for (const name of cluster.names) t.true(session.get(name, 'gone').absent);
});

test('a quorum read writes the newest version back before it answers', (t) => {
  const { cluster, session, world } = running(9);
  // Only n1 has it: the others are cut off while it is written at one.
  for (const name of ['n2', 'n3']) world.cut('n1', name);
  world.run(world.nowMs + 3000);
  t.is(session.set('n1', 'k', 'only here', LEVEL.one).error, undefined);
  world.heal();
  // One reader sees it; from then on every majority has it, also one without the node that wrote it.
  const seen = (): boolean => cluster.node('n1').membership?.reachable(2) === true;
  t.true(world.runUntil(seen, world.nowMs + 10_000));
  t.is(session.get('n1', 'k').value, 'only here');
  cluster.crash('n1');
  world.run(world.nowMs + 3000);
  t.is(session.get('n2', 'k').value, 'only here');
});

test('quorumGet names what each replica holds, and brings the stale one up to date', (t) => {
  const { cluster, session, world } = running(10);
  session.set('n1', 'k', 'old', LEVEL.all);
  world.cut('n3', 'n1');
  world.cut('n3', 'n2');
  world.run(world.nowMs + 3000);
  session.set('n1', 'k', 'new');
  const answer = session.quorumGet('n1', 'k');
  t.is(answer.value, 'new');
  const kinds = new Map(answer.quorum?.responses.map((response) => [response.node, response.kind]));
  t.is(kinds.get(1), 'same');
  t.is(kinds.get(2), 'same');
  t.is(kinds.get(3), 'error');
  world.heal();
  cluster.awaitReady();
  world.run(world.nowMs + 3000);
  t.true(session.quorumGet('n1', 'k', 255).quorum?.responses.every((response) => response.kind === 'same'));
});

test('a write that a newer version superseded is stamped again and wins', (t) => {
  const { cluster, session, world } = running(11);
  // n3, cut off, falls behind in counters while n1 and n2 write the same key.
  world.cut('n3', 'n1');
  world.cut('n3', 'n2');
  world.run(world.nowMs + 3000);
  for (let index = 0; index < 50; index++) session.set('n1', 'k', `n1-${index}`);
  const counter = cluster.node('n3').lamport?.current ?? 0;
  t.true(counter < (cluster.node('n1').lamport?.current ?? 0));
  world.heal();
  t.true(world.runUntil(() => cluster.node('n3').membership?.reachable(1) === true, world.nowMs + 10_000));
  t.is(session.set('n3', 'k', 'from n3').error, undefined);
  for (const name of cluster.names) t.is(session.get(name, 'k').value, 'from n3');
});

test('keys and values are bytes: empty values, NUL and large ones round-trip', (t) => {
  const { session } = running(12);
  for (const value of ['', '\0', '\0\0x', 'ä'.repeat(300), 'x'.repeat(200_000)]) {
    t.is(session.set('n1', 'k\0ey', value).error, undefined);
    t.is(session.get('n2', 'k\0ey').value, value);
  }
});

test('empty and over-long keys and values are refused with the limit in the sentence, and nothing is stored', (t) => {
  const { session } = running(13);
  const empty = session.set('n1', '', 'v');
  t.is(empty.error?.code, 'key-empty');
  const long = session.set('n1', 'k'.repeat(4097), 'v');
  t.is(long.error?.code, 'key-too-large');
  t.regex(long.error?.message ?? '', /4096/);
  const big = session.set('n1', 'k', 'v'.repeat(256 * 1024 + 1));
  t.is(big.error?.code, 'value-too-large');
  t.regex(big.error?.message ?? '', /262144/);
  for (const refused of [empty, long, big]) t.is(refused.error?.outcome, 'not-applied');
  t.true(session.get('n1', 'k').absent);
});

test('a node that holds no replica forwards, and answers are the same', (t) => {
  const { session } = running(14, 5);
  for (let index = 0; index < 40; index++) {
    t.is(session.set(`n${(index % 5) + 1}`, `key-${index}`, `value-${index}`).error, undefined);
  }
  for (let index = 0; index < 40; index++) {
    for (const name of ['n1', 'n2', 'n3', 'n4', 'n5']) t.is(session.get(name, `key-${index}`).value, `value-${index}`);
  }
});

test('pipelined writes of one connection keep their order', (t) => {
  const { session, world } = running(15);
  const client = session.to('n1');
  let answered = 0;
  for (let index = 0; index < 500; index++) {
    client.set('k', `${index}`, LEVEL.quorum, (reply) => {
      t.is(reply.error, undefined);
      answered++;
    });
  }
  t.true(world.runUntil(() => answered === 500, world.nowMs + 20_000));
  for (const name of ['n1', 'n2', 'n3']) t.is(session.get(name, 'k').value, '499');
});

test('pipelined writes keep their order on a key that every node writes at once', (t) => {
  const { session, world, cluster } = running(17);
  const stamps = new Map<string, number[]>();
  let answered = 0;
  const writes = 300;
  for (const name of cluster.names) {
    const client = session.to(name);
    const own: number[] = [];
    stamps.set(name, own);
    for (let index = 0; index < writes; index++) {
      world.at(world.nowMs + world.random.below(50), () => {
        const position = own.push(0) - 1;
        client.set('k', `${name}-${position}`, LEVEL.quorum, (reply) => {
          t.is(reply.error, undefined);
          own[position] = reply.counter;
          answered++;
        });
      });
    }
  }
  t.true(world.runUntil(() => answered === writes * 3, world.nowMs + 20_000));
  for (const own of stamps.values())
    t.deepEqual(
      own,
      [...own].sort((a, b) => a - b),
    );
  const restamped = cluster.names.map((name) => cluster.ports(name).telemetry.metric('writes_restamped_total') ?? 0);
  t.true(restamped.some((count) => count > 0));
});

test('one seed, run twice, is one history', (t) => {
  const hash = (): string => {
    const { session, cluster, world } = running(16);
    for (let index = 0; index < 20; index++) session.set('n1', `k${index}`, 'v');
    cluster.crash('n2');
    session.set('n3', 'x', 'y');
    world.run(world.nowMs + 1000);
    return world.traceHash();
  };
  t.is(hash(), hash());
});

test('a connection to a machine that vanished is given up, so that its return is not missed', (t) => {
  const { cluster, world } = running(17);
  world.crash('n3', { machineDown: true });
  const links = ['n1', 'n2'].map((name) => cluster.node(name).membership?.links[3]);
  t.true(links.every((link) => link?.isUp));
  t.true(world.runUntil(() => links.every((link) => link?.isUp === false), world.nowMs + 8000));
  cluster.start(['n3']);
  cluster.awaitReady();
});
