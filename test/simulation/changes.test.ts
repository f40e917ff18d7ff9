import { isTakenUp, type WireRequest } from '@memdb/protocol';
import test from 'ava';
import { SimCluster, type SimClusterOptions } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

const FOUNDERS = ['n1', 'n2', 'n3'];
const KEYS = Array.from({ length: 40 }, (_, index) => `key-${index}`);

function running(seed: number, options: Partial<SimClusterOptions> = {}): { cluster: SimCluster; world: SimWorld } {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, { nodes: 6, founders: 3, ...options });
  cluster.start(FOUNDERS);
  cluster.awaitReady(FOUNDERS);
  return { cluster, world };
}

/** Asks at one node; the sentence when it is refused. */
function ask(cluster: SimCluster, name: string, request: WireRequest): string | undefined {
  const { changes } = cluster.node(name);
  if (changes === undefined) throw new Error(`${name} is in no cluster`);
  return changes.ask(request, false);
}

function numberOf(cluster: SimCluster, name: string): number {
  return cluster.node(name).number;
}

/** Runs until all running nodes of these show it. */
function shows(
  cluster: SimCluster,
  names: readonly string[],
  what: (name: string) => boolean,
  limitMs = 20_000,
): boolean {
  const { world } = cluster;
  return world.runUntil(() => names.every((name) => world.isRunning(name) && what(name)), world.nowMs + limitMs);
}

function settingAt(cluster: SimCluster, name: string, setting: string): string | undefined {
  return cluster.node(name).topology?.settings.find(({ name }) => name === setting)?.value;
}

test('a setting that is asked for at any node is in force on all, and applies without a restart', (t) => {
  for (const name of FOUNDERS) {
    const { cluster } = running(1);
    t.is(ask(cluster, name, { kind: 'set', name: 'limits.request_timeout', value: '3s' }), undefined);
    t.true(shows(cluster, FOUNDERS, (other) => settingAt(cluster, other, 'limits.request_timeout') === '3s'));
    t.is(ask(cluster, name, { kind: 'set', name: 'limits.request_timeout', value: undefined }), undefined);
    t.true(shows(cluster, FOUNDERS, (other) => settingAt(cluster, other, 'limits.request_timeout') === undefined));
  }
});

test('settings that are unknown or cannot be are refused with a sentence', (t) => {
  const { cluster } = running(2);
  t.regex(ask(cluster, 'n1', { kind: 'set', name: 'limits.request_timeot', value: '3s' }) ?? '', /did you mean/);
  t.regex(ask(cluster, 'n1', { kind: 'set', name: 'log.level', value: 'loud' }) ?? '', /"loud" and must be one of/);
  t.regex(ask(cluster, 'n1', { kind: 'abort' }) ?? '', /no change is pending/);
  t.regex(ask(cluster, 'n1', { kind: 'leave', node: 9 }) ?? '', /no node 9/);
  t.regex(ask(cluster, 'n1', { kind: 'remove', node: 2 }) ?? '', /is alive/);
});

test('the driver may be dead, or hang: others go on with what is asked of them', (t) => {
  for (const how of ['crash', 'pause'] as const) {
    const { cluster, world } = running(3);
    world[how]('n1');
    t.is(ask(cluster, 'n3', { kind: 'set', name: 'log.level', value: 'warn' }), undefined);
    t.true(
      shows(cluster, ['n2', 'n3'], (name) => settingAt(cluster, name, 'log.level') === 'warn', 60_000),
      how,
    );
  }
});

/** Values on all keys, through a node. */
function fill(session: SimSession, name: string, value: string): void {
  for (const key of KEYS) {
    let { error } = session.set(name, key, `${value} of ${key}`);
    for (let again = 0; again < 5 && error?.outcome === 'not-applied' && error.retryable; again++) {
      ({ error } = session.set(name, key, `${value} of ${key}`));
    }
    if (error !== undefined) throw new Error(`${key}: ${error.message}`);
  }
}

/** Keys that do not have their value, read through a node. */
function missing(session: SimSession, name: string, value: string): string[] {
  return KEYS.filter((key) => session.get(name, key).value !== `${value} of ${key}`);
}

/** Partitions that each node owns now, by name. */
function shares(cluster: SimCluster, names: readonly string[]): number[] {
  const { owners } = cluster.node(names[0]).topology ?? { owners: new Uint16Array(0) };
  return names.map((name) => [...owners].filter((owner) => owner === numberOf(cluster, name)).length);
}

function isMember(cluster: SimCluster, name: string): boolean {
  const { topology, uuid } = cluster.node(name);
  return topology?.nodes.find((node) => node.uuid === uuid)?.standing === 'member';
}

function isSettled(cluster: SimCluster, name: string, members: number): boolean {
  const { topology } = cluster.node(name);
  return topology?.pending === undefined && topology?.nodes.length === members;
}

/** A node starts with an empty directory, and runs until it is a member. */
function join(cluster: SimCluster, name: string): void {
  cluster.start([name]);
  if (!shows(cluster, [name], (other) => isMember(cluster, other), 60_000)) {
    throw new Error(`${name} is no member: ${cluster.node(name).ready()}\n${cluster.log([name])}`);
  }
}

test('a node that starts with an empty directory joins by itself, is filled, and serves', (t) => {
  const { cluster } = running(4);
  const session = new SimSession(cluster);
  fill(session, 'n1', 'a');
  cluster.start(['n4']);
  t.true(shows(cluster, [...FOUNDERS, 'n4'], (name) => cluster.node(name).topology?.pending !== undefined));
  t.not(cluster.node('n4').ready(), undefined);
  t.is(numberOf(cluster, 'n4'), 4);
  t.true(shows(cluster, [...FOUNDERS, 'n4'], (name) => isSettled(cluster, name, 4), 60_000));
  t.is(cluster.node('n4').ready(), undefined);
  t.deepEqual(shares(cluster, [...FOUNDERS, 'n4']), [12, 12, 12, 12]);
  for (const name of [...FOUNDERS, 'n4']) t.deepEqual(missing(session, name, 'a'), [], name);
  // It counts: with two of the others away, what it owns is still read.
  fill(session, 'n4', 'b');
  cluster.crash('n1');
  t.deepEqual(missing(session, 'n4', 'b'), []);
});

test('nodes that start together join together', (t) => {
  const world = new SimWorld(5);
  const cluster = new SimCluster(world, { nodes: 6, founders: 3 });
  cluster.start();
  t.true(
    shows(cluster, cluster.names, (name) => isSettled(cluster, name, 6), 120_000),
    cluster.log(),
  );
  t.deepEqual(shares(cluster, cluster.names), [8, 8, 8, 8, 8, 8]);
  t.true((cluster.node('n1').topology?.epoch ?? 0) <= 7);
});

test('a node that leaves hands over what it has, and its process ends in order', (t) => {
  for (const name of ['n1', 'n4']) {
    const { cluster, world } = running(6);
    const session = new SimSession(cluster);
    fill(session, 'n1', 'a');
    join(cluster, 'n4');
    fill(session, 'n2', 'b');
    t.is(ask(cluster, 'n3', { kind: 'leave', node: numberOf(cluster, name) }), undefined);
    t.true(
      world.runUntil(() => !world.isRunning(name), world.nowMs + 60_000),
      cluster.log([name]),
    );
    t.true(cluster.departed.get(name)?.isOrderly);
    const rest = ['n1', 'n2', 'n3', 'n4'].filter((other) => other !== name);
    t.true(shows(cluster, rest, (other) => isSettled(cluster, other, 3)));
    for (const other of rest) t.deepEqual(missing(session, other, 'b'), [], other);
  }
});

test('a dead node is removed, and the others make up for it; back again, it stops and disturbs nobody', (t) => {
  const { cluster, world } = running(7);
  const session = new SimSession(cluster);
  join(cluster, 'n4');
  fill(session, 'n1', 'a');
  const { number } = cluster.node('n2');
  cluster.crash('n2');
  t.true(shows(cluster, ['n3'], (name) => cluster.node(name).membership?.reachable(number) === false));
  t.is(ask(cluster, 'n3', { kind: 'remove', node: number }), undefined);
  const rest = ['n1', 'n3', 'n4'];
  t.true(shows(cluster, rest, (name) => isSettled(cluster, name, 3), 60_000));
  for (const name of rest) t.deepEqual(missing(session, name, 'a'), [], name);
  const { epoch } = cluster.node('n1').topology ?? {};
  cluster.start(['n2']);
  t.true(world.runUntil(() => cluster.departed.has('n2'), world.nowMs + 10_000));
  t.false(cluster.departed.get('n2')?.isOrderly);
  t.regex(cluster.departed.get('n2')?.message ?? '', /was removed/);
  world.run(world.nowMs + 5000);
  cluster.start(['n2']);
  world.run(world.nowMs + 5000);
  t.false(world.isRunning('n2'));
  t.is(cluster.node('n1').topology?.epoch, epoch);
  fill(session, 'n1', 'b');
});

test('a dead node is replaced by the next that joins', (t) => {
  const { cluster, world } = running(8);
  const session = new SimSession(cluster);
  fill(session, 'n1', 'a');
  const { number } = cluster.node('n2');
  cluster.crash('n2');
  t.true(world.runUntil(() => cluster.node('n1').membership?.reachable(number) === false, world.nowMs + 10_000));
  t.is(ask(cluster, 'n1', { kind: 'replace', node: number }), undefined);
  world.run(world.nowMs + 3000);
  t.is(cluster.node('n1').topology?.epoch, 1);
  cluster.start(['n4']);
  const rest = ['n1', 'n3', 'n4'];
  t.true(shows(cluster, rest, (name) => isSettled(cluster, name, 3), 60_000));
  t.is(cluster.node('n1').topology?.epoch, 3);
  cluster.crash('n1');
  t.deepEqual(missing(session, 'n4', 'a'), []);
});

test('a founder that lost its disk joins as a new node, and founds no second cluster', (t) => {
  for (const name of FOUNDERS) {
    const { cluster, world } = running(9);
    const session = new SimSession(cluster);
    fill(session, 'n1', 'a');
    cluster.crash(name);
    world.run(world.nowMs + 3000);
    world.disk(name).wipe();
    cluster.start([name]);
    // It waits: a change would wait for the node that it was, as long as nobody says that this is gone.
    world.run(world.nowMs + 5000);
    const [other] = FOUNDERS.filter((candidate) => candidate !== name);
    t.is(cluster.node(other).topology?.epoch, 1);
    t.regex(cluster.node(name).ready() ?? '', /to be admitted/);
    t.is(ask(cluster, other, { kind: 'replace', node: FOUNDERS.indexOf(name) + 1 }), undefined);
    t.true(
      shows(cluster, FOUNDERS, (founder) => isSettled(cluster, founder, 3), 60_000),
      cluster.log(),
    );
    t.is(numberOf(cluster, name), 4);
    t.deepEqual(cluster.node(name).topology?.clusterId, cluster.node(other).topology?.clusterId);
    t.deepEqual(missing(session, name, 'a'), []);
  }
});

test('a change whose joiner died stays pending, and is aborted without it', (t) => {
  const { cluster, world } = running(10);
  const session = new SimSession(cluster);
  fill(session, 'n1', 'a');
  cluster.start(['n4']);
  t.true(shows(cluster, FOUNDERS, (name) => cluster.node(name).topology?.pending !== undefined));
  cluster.crash('n4');
  world.run(world.nowMs + 30_000);
  t.true(FOUNDERS.every((name) => cluster.node(name).topology?.pending !== undefined));
  fill(session, 'n2', 'b');
  t.is(ask(cluster, 'n2', { kind: 'abort' }), undefined);
  t.true(shows(cluster, FOUNDERS, (name) => isSettled(cluster, name, 3)));
  t.deepEqual(missing(session, 'n3', 'b'), []);
  cluster.start(['n4']);
  t.true(world.runUntil(() => cluster.departed.has('n4'), world.nowMs + 10_000));
  t.regex(cluster.departed.get('n4')?.message ?? '', /aborted/);
});

test('an owner that dies while a change is pending is removed from it, and the change goes on', (t) => {
  const { cluster, world } = running(14);
  const session = new SimSession(cluster);
  join(cluster, 'n4');
  fill(session, 'n1', 'a');
  const { number } = cluster.node('n2');
  t.is(ask(cluster, 'n1', { kind: 'pause' }), 'no change is pending');
  cluster.start(['n5']);
  t.true(shows(cluster, ['n1', 'n3'], (name) => cluster.node(name).topology?.pending !== undefined));
  cluster.crash('n2');
  world.run(world.nowMs + 10_000);
  t.not(cluster.node('n3').topology?.pending, undefined);
  t.is(ask(cluster, 'n3', { kind: 'remove', node: number }), undefined);
  const rest = ['n1', 'n3', 'n4', 'n5'];
  t.true(
    shows(cluster, rest, (name) => isSettled(cluster, name, 4), 60_000),
    cluster.log(),
  );
  for (const name of rest) t.deepEqual(missing(session, name, 'a'), [], name);
});

test('a paused change waits, over crashes of all, until it is resumed', (t) => {
  const { cluster, world } = running(11);
  const session = new SimSession(cluster);
  fill(session, 'n1', 'a');
  cluster.start(['n4']);
  t.true(shows(cluster, FOUNDERS, (name) => cluster.node(name).topology?.pending !== undefined));
  t.is(ask(cluster, 'n3', { kind: 'pause' }), undefined);
  t.true(shows(cluster, FOUNDERS, (name) => cluster.node(name).topology?.pending?.isPaused === true));
  const all = [...FOUNDERS, 'n4'];
  for (const name of all) cluster.crash(name);
  cluster.start(all);
  cluster.awaitReady(FOUNDERS);
  world.run(world.nowMs + 20_000);
  t.true(all.every((name) => cluster.node(name).topology?.pending?.isPaused === true));
  t.is(ask(cluster, 'n3', { kind: 'resume' }), undefined);
  t.true(shows(cluster, all, (name) => isSettled(cluster, name, 4), 60_000));
  t.deepEqual(missing(session, 'n4', 'a'), []);
});

test('weights, places and the number of copies change, and data follows', (t) => {
  const { cluster, world } = running(12);
  const session = new SimSession(cluster);
  join(cluster, 'n4');
  fill(session, 'n1', 'a');
  const all = [...FOUNDERS, 'n4'];
  const changes: WireRequest[] = [
    { kind: 'weigh', node: 4, weight: 0.25 },
    { kind: 'replicate', replicationFactor: 2 },
    { kind: 'move', node: 1, zone: 'z', host: 'm' },
    { kind: 'replicate', replicationFactor: 3 },
  ];
  for (const change of changes) {
    t.is(ask(cluster, 'n2', change), undefined);
    const done = (name: string): boolean => {
      const { topology } = cluster.node(name);
      return topology !== undefined && isTakenUp(topology, change) && topology.pending === undefined;
    };
    t.true(shows(cluster, all, done, 60_000), JSON.stringify(change));
    for (const name of all) t.deepEqual(missing(session, name, 'a'), [], `${name} ${JSON.stringify(change)}`);
  }
  t.true(shares(cluster, ['n4'])[0] < 6);
  world.run(world.nowMs + 1000);
});

test('what is asked for while a change is pending begins after it, all of it together', (t) => {
  const { cluster } = running(13);
  cluster.start(['n4']);
  t.true(shows(cluster, FOUNDERS, (name) => cluster.node(name).topology?.pending !== undefined));
  t.is(ask(cluster, 'n3', { kind: 'leave', node: 1 }), undefined);
  t.is(ask(cluster, 'n2', { kind: 'replicate', replicationFactor: 2 }), undefined);
  const { world } = cluster;
  t.true(
    world.runUntil(() => !world.isRunning('n1'), world.nowMs + 60_000),
    cluster.log(),
  );
  t.true(shows(cluster, ['n2', 'n3', 'n4'], (name) => isSettled(cluster, name, 3), 60_000));
  t.is(cluster.node('n2').topology?.replicationFactor, 2);
});
