import { createClient } from '@memdb/client';
import { keyHash } from '@memdb/protocol';
import test from 'ava';
import { RecordKind, recordExpiresAtMs } from '../../src/model/record.js';
import { LEVEL } from '../harness/bare-client.js';
import { SIM_PORT, SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';
import { bytesOf, viewOf } from '../harness/storage-world.js';
import { TEST_KEYS } from '../harness/test-keys.js';

const DAY_MS = 86_400_000;

const NOON_MS = Date.UTC(2030, 0, 1, 12);

/** Wall clocks of simulated machines differ by minutes; here they agree, unless a test makes them differ. */
function setWallClock(world: SimWorld, name: string, nowMs: number): void {
  const clock = world.clock(name);
  clock.jumpWall(nowMs - clock.wallMs());
}

function running(seed: number, nodes = 3): { cluster: SimCluster; world: SimWorld; session: SimSession } {
  const world = new SimWorld(seed);
  for (let number = 1; number <= nodes; number++) setWallClock(world, `n${number}`, NOON_MS);
  const cluster = new SimCluster(world, { nodes });
  cluster.start();
  cluster.awaitReady();
  return { cluster, world, session: new SimSession(cluster) };
}

/** Writes, again while the node extends its clock's lease: after a restart anywhere it has to. */
function write(session: SimSession, node: string, key: string, value: string, level: number, ttlMs: number): void {
  let reply = session.set(node, key, value, level, ttlMs);
  while (reply.error?.code === 'clock-ahead') reply = session.set(node, key, value, level, ttlMs);
  if (reply.error !== undefined) throw reply.error;
}

/** What a node holds of a key: its deadline, 0 for none; undefined when it holds no value. */
function deadlineAt(cluster: SimCluster, name: string, key: string): number | undefined {
  const { store } = cluster.node(name);
  const bytes = bytesOf(key);
  if (store === undefined) return undefined;
  const hash = keyHash(bytes, viewOf(bytes), 0, bytes.length, store.placement.hashSeed);
  return store.lookup(hash, bytes, viewOf(bytes), 0, bytes.length) ? store.found.expiresAtMs : undefined;
}

function awaitCaughtUp(cluster: SimCluster, world: SimWorld, member: number): void {
  const streams = cluster.names.map((name) => cluster.node(name).replication?.streams[member]);
  const done = (): boolean => streams.every((stream) => stream === undefined || stream.idle);
  if (!world.runUntil(done, world.nowMs + 20_000)) throw new Error(`member ${member} was not caught up`);
}

test('a value is there until its time to live is over, and absent from then on, by every way of reading', (t) => {
  const { session, world, cluster } = running(1);
  const written = session.set('n1', 'k', 'v', LEVEL.all, 10_000);
  t.is(written.error, undefined);
  world.run(world.nowMs + 9_000);
  for (const name of cluster.names) {
    for (const level of [LEVEL.one, LEVEL.quorum, LEVEL.all]) t.is(session.get(name, 'k', level).value, 'v');
    t.true(session.contains(name, 'k'));
    t.is(session.quorumGet(name, 'k').value, 'v');
  }
  world.run(world.nowMs + 2_000);
  for (const name of cluster.names) {
    t.is(cluster.ports(name).telemetry.metric('expired_keys'), 1);
    for (const level of [LEVEL.one, LEVEL.quorum, LEVEL.all]) {
      const { absent, counter, node } = session.get(name, 'k', level);
      // The version is still there, with its stamp: it takes part like any other.
      t.deepEqual({ absent, counter, node }, { absent: true, counter: written.counter, node: written.node });
    }
    t.false(session.contains(name, 'k'));
    const { absent, quorum } = session.quorumGet(name, 'k', 255);
    t.true(absent);
    t.true(quorum?.agreed);
  }
});

test('the deadline is fixed once, by the coordinator, and is the same on every owner', (t) => {
  const { session, cluster, world } = running(2);
  world.jumpWallClock('n2', -DAY_MS);
  const before = cluster.ports('n1').clock.wallMs();
  session.set('n1', 'k', 'v', LEVEL.all, 60_000);
  const deadlines = cluster.names.map((name) => deadlineAt(cluster, name, 'k'));
  t.is(new Set(deadlines).size, 1);
  t.true((deadlines[0] ?? 0) >= before + 60_000);
  t.true((deadlines[0] ?? 0) <= cluster.ports('n1').clock.wallMs() + 60_001);
});

test('a plain write over a value that would expire stays', (t) => {
  const { session, world, cluster } = running(3);
  session.set('n1', 'k', 'passing', LEVEL.quorum, 1_000);
  session.set('n2', 'k', 'staying');
  session.set('n1', 'gone', 'passing', LEVEL.quorum, 1_000);
  world.run(world.nowMs + 5_000);
  t.is(session.set('n3', 'gone', 'back').error, undefined);
  for (const name of cluster.names) {
    t.is(session.get(name, 'k').value, 'staying');
    t.is(session.get(name, 'gone').value, 'back');
  }
});

test('catch-up, a restart of every node and a write-back carry the deadline', (t) => {
  const { session, world, cluster } = running(4);
  session.set('n1', 'caught up', 'old', LEVEL.all);
  cluster.crash('n3');
  session.set('n1', 'caught up', 'new', LEVEL.quorum, 100_000);
  const deadline = deadlineAt(cluster, 'n1', 'caught up');
  cluster.start(['n3']);
  cluster.awaitReady();
  awaitCaughtUp(cluster, world, 3);
  t.is(deadlineAt(cluster, 'n3', 'caught up'), deadline);

  // Only n1 holds it: a quorum read through n2 takes it over, and writes it back to where it is missing.
  for (const name of ['n2', 'n3']) world.cut('n1', name);
  world.run(world.nowMs + 3_000);
  write(session, 'n1', 'written back', 'v', LEVEL.one, 100_000);
  const only = deadlineAt(cluster, 'n1', 'written back');
  world.heal();
  t.true(world.runUntil(() => cluster.node('n2').membership?.reachable(1) === true, world.nowMs + 10_000));
  const read = session.get('n2', 'written back', LEVEL.all);
  t.is(read.error, undefined);
  t.is(read.value, 'v');
  for (const name of cluster.names) t.is(deadlineAt(cluster, name, 'written back'), only, name);

  for (const name of cluster.names) cluster.crash(name);
  cluster.start();
  cluster.awaitReady();
  for (const name of cluster.names) {
    t.is(deadlineAt(cluster, name, 'caught up'), deadline);
    t.is(deadlineAt(cluster, name, 'written back'), only);
  }
  world.run(world.nowMs + 200_000);
  for (const name of cluster.names) t.true(session.get(name, 'caught up', LEVEL.one).absent);
});

test('a quorum read writes an expired version back too: what it shadows must not come back', (t) => {
  const { session, world, cluster } = running(5);
  session.set('n1', 'k', 'long ago', LEVEL.all);
  for (const name of ['n2', 'n3']) world.cut('n1', name);
  world.run(world.nowMs + 3_000);
  session.set('n1', 'k', 'passing', LEVEL.one, 1_000);
  world.run(world.nowMs + 2_000);
  world.heal();
  t.true(world.runUntil(() => cluster.node('n1').membership?.reachable(2) === true, world.nowMs + 10_000));
  t.true(session.get('n1', 'k').absent);
  cluster.crash('n1');
  world.run(world.nowMs + 3_000);
  t.true(session.get('n2', 'k').absent);
});

test('a write with a time to live that is stamped again keeps its deadline', (t) => {
  const { session, world, cluster } = running(17);
  const before = cluster.ports('n1').clock.wallMs();
  let answered = 0;
  for (const name of cluster.names) {
    const client = session.to(name);
    for (let index = 0; index < 100; index++) {
      world.at(world.nowMs + world.random.below(50), () => {
        client.set('k', name, LEVEL.quorum, () => answered++, 2000, 50_000);
      });
    }
  }
  t.true(world.runUntil(() => answered === 300, world.nowMs + 20_000));
  const restamped = cluster.names.map((name) => cluster.ports(name).telemetry.metric('writes_restamped_total') ?? 0);
  t.true(restamped.some((count) => count > 0));
  for (const name of cluster.names) {
    const cursor = cluster.node(name).store?.logCursor(0);
    while (cursor?.next()) {
      if (cursor.kind !== RecordKind.value) continue;
      const deadline = recordExpiresAtMs(cursor.segment.view, cursor.offset);
      t.true(deadline >= before + 50_000 && deadline <= before + 60_000, `${deadline - before}`);
    }
  }
});

test('getMany and setMany know times to live, forwarded items too', async (t) => {
  const { world, cluster } = running(6, 5);
  const client = createClient({
    seeds: cluster.names.map((host) => ({ host, port: SIM_PORT })),
    key: TEST_KEYS.client,
    ports: world.createPorts('app'),
  });
  const settle = <T>(promise: Promise<T>): Promise<T> => world.settle(promise, world.nowMs + 60_000);
  await settle(client.ready());
  const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
  const results = await settle(
    client.setMany(
      keys.map((key) => [key, key]),
      { ttlMs: 30_000 },
    ),
  );
  t.true(results.every(({ error }) => error === undefined));
  await settle(client.set('key-0', 'stays'));
  await settle(client.set('key-1', 'x'.repeat(100_000), { ttlMs: 60_000 }));
  t.true((await settle(client.getMany(keys))).every(({ value }) => value !== undefined));
  world.run(world.nowMs + 40_000);
  const left = (await settle(client.getMany(keys))).flatMap(({ key, value }) => (value === undefined ? [] : [key]));
  t.deepEqual(left, ['key-0', 'key-1']);
  await settle(client.close());
  // Through a node that owns nothing of it.
  const session = new SimSession(cluster, 'other');
  for (const name of cluster.names) t.is(session.set(name, 'forwarded', name, LEVEL.quorum, 5_000).error, undefined);
  t.is(session.get('n1', 'forwarded').value, 'n5');
  world.run(world.nowMs + 6_000);
  for (const name of cluster.names) t.true(session.get(name, 'forwarded').absent);
});

test('a time to live of 0, or of more than ten years, is refused with the limit, and nothing is stored', (t) => {
  const { session } = running(7);
  for (const ttlMs of [315_360_000_001, 2 ** 52]) {
    const { error } = session.set('n1', 'k', 'v', LEVEL.quorum, ttlMs);
    t.is(error?.code, 'bad-request');
    t.is(error?.outcome, 'not-applied');
    t.regex(error?.message ?? '', /315360000000/);
  }
  t.is(session.set('n1', 'longest', 'v', LEVEL.quorum, 315_360_000_000).error, undefined);
  t.is(session.get('n2', 'longest').value, 'v');
  const never = session.get('n1', 'k');
  t.true(never.absent);
  t.is(never.counter, 0);
});

test('wall clocks that drift and jump by days lose no acknowledged write that is newer than an expiring one', (t) => {
  for (let seed = 100; seed < 106; seed++) {
    const { session, world, cluster } = running(seed);
    const { random } = world;
    const newest = new Map<string, string>();
    for (let step = 0; step < 150; step++) {
      const node = `n${1 + random.below(3)}`;
      const key = `k${random.below(6)}`;
      if (random.below(4) === 0) world.jumpWallClock(node, (random.below(5) - 2) * DAY_MS);
      if (random.below(6) === 0) world.clock(node).setRate(0.95 + random.below(100) / 1000);
      if (random.below(20) === 0) {
        cluster.crash(node);
        cluster.start([node]);
        cluster.awaitReady();
      }
      const ttlMs = random.below(2) === 0 ? 1 + random.below(5_000) : 0;
      write(session, node, key, `${step}`, LEVEL.quorum, ttlMs);
      if (ttlMs === 0) newest.set(key, `${step}`);
      else newest.delete(key);
      world.run(world.nowMs + random.below(3_000));
      for (const [plain, value] of newest) {
        t.is(session.get(`n${1 + random.below(3)}`, plain).value, value, `seed ${seed}, step ${step}`);
      }
    }
  }
});

test('what expired does not come back: not after restarts, and not from a node that was away', (t) => {
  const { session, world, cluster } = running(8);
  session.set('n1', 'k', 'before', LEVEL.all);
  cluster.shutDown('n3');
  session.set('n1', 'k', 'passing', LEVEL.quorum, 5_000);
  world.run(world.nowMs + 10_000);
  cluster.start(['n3']);
  cluster.awaitReady();
  for (const name of cluster.names) t.true(session.get(name, 'k').absent);
  awaitCaughtUp(cluster, world, 3);
  for (let round = 0; round < 3; round++) {
    for (const name of cluster.names) {
      cluster.crash(name);
      cluster.start([name]);
      cluster.awaitReady();
    }
    for (const name of cluster.names) t.true(session.get(name, 'k', LEVEL.one).absent);
  }
});
