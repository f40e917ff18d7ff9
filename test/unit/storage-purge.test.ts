import test from 'ava';
import fc from 'fast-check';
import { NO_FLOOR } from '../../src/storage/floors.js';
import { StorageWorld } from '../harness/storage-world.js';

const ONE = { partitions: 1 };
const FAR = Number.MAX_SAFE_INTEGER;

function purge(world: StorageWorld, evidenceLsn: number = world.store.lastLsn, cutoffMs = 0): number {
  return world.store.audit.purge(0, evidenceLsn, cutoffMs, FAR);
}

test('a purged tombstone is gone, its key answers with the floor, and what lies at or below is superseded by it', (t) => {
  const world = new StorageWorld(1, ONE);
  world.set('other', 'x', 30);
  world.set('gone', 'x', 40);
  world.delete('gone', 44, 2);
  t.is(purge(world), 1);
  t.false(world.find('gone'));
  t.is(world.store.stats().tombstones, 0);
  t.deepEqual(world.store.audit.floorOf(0), { counter: 44, node: 2, cutoffMs: 0 });
  t.false(world.find('never written'));
  t.deepEqual([world.store.found.counter, world.store.found.node], [44, 2]);
  t.is(world.get('other'), 'x', 'a value below the floor stays');
  world.set('gone', 'back?', 44, 1);
  t.false(world.find('gone'));
  world.set('gone', 'written anew', 45);
  t.is(world.get('gone'), 'written anew');
});

test('the floor stays below a tombstone that came after the evidence, whatever its stamp', (t) => {
  const world = new StorageWorld(2, ONE);
  world.delete('a', 10);
  world.delete('b', 20);
  const evidence = world.delete('c', 40);
  world.delete('late', 30);
  t.is(purge(world, evidence), 2);
  t.is(world.store.audit.floorOf(0).counter, 20);
  t.true(world.find('c'));
  t.true(world.find('late'));
  t.is(purge(world), 2);
});

test('a purge that the evidence does not carry does nothing', (t) => {
  const world = new StorageWorld(3, ONE);
  const evidence = world.set('v', 'x', 5);
  world.delete('early stamp', 1);
  world.delete('b', 20);
  t.is(purge(world, evidence), 0);
  t.deepEqual(world.store.audit.floorOf(0), NO_FLOOR);
});

test('a floor above the clock of an owner is a broken invariant', (t) => {
  const world = new StorageWorld(3, ONE);
  world.delete('b', 20);
  t.throws(() => world.store.audit.purge(0, world.store.lastLsn, 0, 19), { message: /above an owner's clock/ });
});

test('purged keys stay away after a power loss at any time, although older versions stand in the log', (t) => {
  for (let seed = 0; seed < 40; seed++) {
    const world = new StorageWorld(seed, ONE);
    for (let key = 0; key < 30; key++) world.set(`k${key}`, 'dead', 100 + key);
    world.settle();
    for (let key = 0; key < 30; key++) if (key % 3 !== 0) world.delete(`k${key}`, 200 + key);
    world.settle();
    t.is(purge(world), 20);
    world.store.commit();
    // The floor may be durable by then, or not: the keys are deleted either way.
    world.run(seed % 4);
    world.crash({ powerLoss: true });
    world.open();
    for (let key = 0; key < 30; key++) t.is(world.get(`k${key}`), key % 3 === 0 ? 'dead' : undefined);
    const floor = world.store.audit.floorOf(0).counter;
    t.true(floor === 0 || floor === 229);
    t.is(world.store.stats().tombstones, floor === 0 ? 20 : 0);
  }
});

test('after a restart the clock is past every floor', (t) => {
  const world = new StorageWorld(4, ONE);
  world.delete('k', 777);
  purge(world);
  world.settle();
  world.close();
  world.open();
  t.true(world.store.highestCounter() >= 777);
});

test('expired values are purged with the tombstones, those that have not expired are not', (t) => {
  const world = new StorageWorld(5, ONE);
  world.set('expired', 'x', 10, 1, 5000);
  world.set('expires later', 'x', 11, 1, 9000);
  world.set('stays', 'x', 12);
  world.delete('gone', 13);
  t.is(purge(world, world.store.lastLsn, 5000), 2);
  t.false(world.find('expired'));
  t.true(world.find('expires later'));
  t.is(world.get('stays'), 'x');
  t.deepEqual(world.store.audit.floorOf(0), { counter: 13, node: 1, cutoffMs: 5000 });
  t.is(purge(world, world.store.lastLsn, 9000), 1);
  t.false(world.find('expires later'));
  world.settle();
  world.crash({ powerLoss: true });
  world.open();
  t.deepEqual(
    ['expired', 'expires later', 'stays', 'gone'].map((key) => world.find(key)),
    [false, false, true, false],
  );
});

test('two replicas compare equal although one has purged and the other has not', (t) => {
  const one = new StorageWorld(6, ONE);
  const other = new StorageWorld(7, ONE);
  for (const world of [one, other]) {
    for (let key = 0; key < 50; key++) world.set(`k${key}`, 'x', 10 + key, 1, key % 7 === 0 ? 4000 : 0);
    for (let key = 0; key < 50; key += 5) world.delete(`k${key}`, 100 + key);
  }
  purge(one, one.store.lastLsn, 5000);
  const [ownFloor, otherFloor] = [one.store.audit.floorOf(0), other.store.audit.floorOf(0)];
  t.deepEqual(one.store.audit.tableOf(0, otherFloor), other.store.audit.tableOf(0, ownFloor));
  t.notDeepEqual(one.store.audit.tableOf(0, otherFloor), other.store.audit.tableOf(0, otherFloor));
  other.set('k1', 'y', 500);
  t.notDeepEqual(one.store.audit.tableOf(0, otherFloor), other.store.audit.tableOf(0, ownFloor));
});

test('a tombstone that comes below the floor, to a key that is held, is left out of comparisons', (t) => {
  const world = new StorageWorld(8, ONE);
  const peer = new StorageWorld(9, ONE);
  for (const each of [world, peer]) {
    each.set('k', 'x', 20);
    each.delete('gone', 44);
    purge(each);
  }
  world.delete('k', 30);
  t.notDeepEqual(world.store.audit.tableOf(0, NO_FLOOR), peer.store.audit.tableOf(0, NO_FLOOR));
  peer.delete('k', 30);
  t.deepEqual(world.store.audit.tableOf(0, NO_FLOOR), peer.store.audit.tableOf(0, NO_FLOOR));
  t.is(purge(world), 1);
  t.false(world.find('k'));
});

test('erasing keys from the index agrees with a Map, whatever else is in it', (t) => {
  const step = fc.record({ key: fc.nat(80), kind: fc.constantFrom('set', 'delete', 'purge') });
  const property = fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const world = new StorageWorld(10, { ...ONE, durability: 'none' });
    const model = new Map<number, string | undefined>();
    for (const [index, { key, kind }] of steps.entries()) {
      if (kind === 'set') {
        world.set(`key ${key}`, `${index}`, index + 1);
        model.set(key, `${index}`);
      } else if (kind === 'delete') {
        world.delete(`key ${key}`, index + 1);
        model.set(key, undefined);
      } else {
        const dead = [...model].filter(([, value]) => value === undefined);
        t.is(purge(world), dead.length);
        for (const [name] of dead) model.delete(name);
      }
    }
    for (let key = 0; key <= 80; key++) {
      t.is(world.find(`key ${key}`), model.has(key));
      t.is(world.get(`key ${key}`), model.get(key));
    }
    const { keys, tombstones } = world.store.stats();
    t.is(keys + tombstones, model.size);
  });
  fc.assert(property, { numRuns: 150 });
});
