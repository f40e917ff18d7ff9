import test from 'ava';
import { LEVEL } from '../harness/bare-client.js';
import { flipInFile, flipInMemory, type Place, places } from '../harness/flip-bits.js';
import { equalTables, runUntilQuiet, storeOf, tombstones } from '../harness/sim-audit.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

/** A cycle of the scrub, and a comparison with its repair. */
const HEALED_WITHIN_MS = 45_000;
const KEYS = 200;

interface Running {
  readonly cluster: SimCluster;
  readonly world: SimWorld;
  readonly session: SimSession;
}

function running(seed: number, nodes = 3, durability: 'sync' | 'none' = 'sync'): Running {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, { nodes, durability });
  cluster.start();
  cluster.awaitReady();
  const session = new SimSession(cluster);
  for (let key = 0; key < KEYS; key++) session.set('n1', `key-${key}`, `value-${key}`, LEVEL.all);
  return { cluster, world, session };
}

/** Damages the newest record of a key at one node, in memory and, if there is one, in its file. */
function ruin({ cluster, world }: Running, name: string, key: string, byte: number, bit = 4): Place {
  const place = places(storeOf(cluster, name)).findLast((each) => each.key === key);
  if (place === undefined) throw new Error(`${name} does not hold ${key}`);
  flipInMemory(place, byte, bit);
  flipInFile(world.disk(name), place, byte, (bit + 1) % 8);
  return place;
}

function lostKeys({ cluster }: Running, name: string): number {
  return cluster.ports(name).telemetry.metric('lost_keys') ?? 0;
}

test('records that are damaged in memory and on disk are fetched from another replica, and never served', (t) => {
  for (let seed = 1; seed <= 8; seed++) {
    const run = running(seed);
    const { cluster, world, session } = run;
    world.run(world.nowMs + 3000);
    // A flip in the value, the key, the length, the stamp: whatever is hit.
    const hit = [28 + seed, 24, 8, 16, 20, 12, 4, 0].map((byte, index) => {
      const key = `key-${index * 17 + seed}`;
      ruin(run, 'n2', key, byte);
      return key;
    });
    const found = (): boolean => cluster.ports('n2').telemetry.logged('record-damaged') >= hit.length;
    t.true(runUntilQuiet(world, found, HEALED_WITHIN_MS));
    for (const key of hit) {
      const here = session.get('n2', key, LEVEL.one);
      t.true(here.error?.code === 'unavailable' || here.value === `value-${key.slice(4)}`);
      t.is(session.get('n2', key).value, `value-${key.slice(4)}`, 'a majority knows it');
    }
    const healed = (): boolean => lostKeys(run, 'n2') === 0 && equalTables(cluster);
    t.true(runUntilQuiet(world, healed, HEALED_WITHIN_MS));
    for (const key of hit) t.is(session.get('n2', key, LEVEL.one).value, `value-${key.slice(4)}`);
    t.is(cluster.ports('n2').telemetry.logged('record-lost'), 0);
    // Both copies of the place are readable again: a restart finds a whole log.
    world.run(world.nowMs + HEALED_WITHIN_MS);
    cluster.crash('n2');
    cluster.start(['n2']);
    cluster.awaitReady();
    for (let key = 0; key < KEYS; key++) t.is(session.get('n2', `key-${key}`).value, `value-${key}`);
    t.deepEqual([...cluster.fatal], []);
  }
});

test('without files, what flips in memory comes from another replica', (t) => {
  const run = running(20, 3, 'none');
  const { cluster, world, session } = run;
  for (let key = 0; key < 30; key++) ruin(run, 'n3', `key-${key}`, 26);
  const healed = (): boolean =>
    cluster.ports('n3').telemetry.logged('record-refilled') >= 30 && lostKeys(run, 'n3') === 0;
  t.true(runUntilQuiet(world, healed, HEALED_WITHIN_MS));
  for (let key = 0; key < 30; key++) t.is(session.get('n3', `key-${key}`, LEVEL.one).value, `value-${key}`);
});

test('an acknowledged write is not missed while a replica that held it has lost it', (t) => {
  const run = running(21);
  const { cluster, world, session } = run;
  // Acknowledged by n1 and n2; n3 is away and has an older version.
  for (const name of ['n1', 'n2']) world.cut(name, 'n3');
  world.run(world.nowMs + 3000);
  t.is(session.set('n1', 'key-5', 'newer').error, undefined);
  world.run(world.nowMs + 3000);
  ruin(run, 'n2', 'key-5', 27);
  const found = (): boolean => cluster.ports('n2').telemetry.logged('record-damaged') > 0;
  // n2 meets n3, which has the older version, but not n1, which has the newer one.
  world.cut('n1', 'n2');
  t.true(runUntilQuiet(world, found, HEALED_WITHIN_MS));
  world.heal('n2', 'n3');
  world.run(world.nowMs + 20_000);
  t.is(session.get('n2', 'key-5').error?.outcome, 'not-applied', 'n2 and n3 together cannot know');
  t.is(session.get('n3', 'key-5').error?.outcome, 'not-applied');
  t.is(session.get('n2', 'key-6').value, 'value-6');
  world.heal();
  t.true(runUntilQuiet(world, () => lostKeys(run, 'n2') === 0 && equalTables(cluster), HEALED_WITHIN_MS));
  for (const name of cluster.names) t.is(session.get(name, 'key-5', LEVEL.one).value, 'newer');
});

test('a lost key is not answered with the floor, and an acknowledged version below it comes back', (t) => {
  const run = running(22);
  const { cluster, world, session } = run;
  for (let key = 100; key < KEYS; key++) session.delete('n1', `key-${key}`, LEVEL.all);
  t.true(runUntilQuiet(world, () => tombstones(cluster) === 0, 60_000));
  for (let key = 0; key < 20; key++) ruin(run, 'n1', `key-${key}`, 25);
  const found = (): boolean => cluster.ports('n1').telemetry.logged('record-damaged') >= 20;
  t.true(runUntilQuiet(world, found, HEALED_WITHIN_MS));
  for (let key = 0; key < 20; key++) t.is(session.get('n1', `key-${key}`).value, `value-${key}`);
  t.true(runUntilQuiet(world, () => lostKeys(run, 'n1') === 0, HEALED_WITHIN_MS));
  for (let key = 0; key < 20; key++) t.is(session.get('n1', `key-${key}`, LEVEL.one).value, `value-${key}`);
});

test('with no other replica a damaged record is an error that names file and offset, not an absent key', (t) => {
  const run = running(23, 1);
  const { cluster, world, session } = run;
  const place = ruin(run, 'n1', 'key-9', 26);
  world.run(world.nowMs + HEALED_WITHIN_MS);
  const [line] = cluster.ports('n1').telemetry.lines.filter(({ event }) => event === 'record-damaged');
  t.is(line?.level, 'error');
  t.is(line?.fields?.offset, place.offset);
  t.regex(String(line?.fields?.file), /^log\/[0-9a-f]{16}\.seg$/);
  t.is(cluster.ports('n1').telemetry.logged('records-lost'), 1);
  t.is(session.get('n1', 'key-9').error?.code, 'unavailable');
  t.is(session.get('n1', 'key-9', LEVEL.one).error?.code, 'unavailable');
  t.is(lostKeys(run, 'n1'), 1);
  t.is(session.set('n1', 'key-9', 'written again').error, undefined);
  t.is(session.get('n1', 'key-9').value, 'written again');
});

test('catch-up passes over a damaged record, the peer gets what is newest from whoever has it', (t) => {
  const run = running(24);
  const { cluster, world, session } = run;
  cluster.crash('n3');
  world.run(world.nowMs + 3000);
  for (let key = 0; key < 50; key++) session.set('n1', `away-${key}`, `v-${key}`);
  world.run(world.nowMs + 500);
  for (let key = 0; key < 50; key += 7) ruin(run, 'n1', `away-${key}`, 8 + (key % 20));
  cluster.start(['n3']);
  cluster.awaitReady();
  t.true(runUntilQuiet(world, () => equalTables(cluster), HEALED_WITHIN_MS));
  world.run(world.nowMs + HEALED_WITHIN_MS);
  for (const name of cluster.names) {
    for (let key = 0; key < 50; key++) t.is(session.get(name, `away-${key}`, LEVEL.one).value, `v-${key}`);
  }
  t.deepEqual([...cluster.fatal], []);
});
