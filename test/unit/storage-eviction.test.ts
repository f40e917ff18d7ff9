import test from 'ava';
import fc from 'fast-check';
import { RecordKind } from '../../src/model/record.js';
import { compareVersions } from '../../src/model/version-order.js';
import { StorageWorld } from '../harness/storage-world.js';

function tracked(): StorageWorld {
  const world = new StorageWorld(1, { eviction: 'lru', partitions: 1, durability: 'none' });
  world.untilRoom();
  return world;
}

/** The keys that one pass of the hand over the whole partition offers. */
function pass(world: StorageWorld): string[] {
  const { candidates } = world.store;
  const found: string[] = [];
  candidates.slot = 0;
  while (!candidates.isAtEnd(0)) {
    if (!candidates.next(0, 1000)) continue;
    const { segment, keyStart, keyLength } = candidates;
    found.push(Buffer.from(segment?.bytes.subarray(keyStart, keyStart + keyLength) ?? []).toString());
  }
  return found.sort();
}

function evict(world: StorageWorld, key: string): void {
  world.find(key);
  const { counter, node } = world.store.found;
  world.delete(key, counter, node);
}

test('a key that was only written is spared one pass of the hand, one that was read two', (t) => {
  const world = tracked();
  const keys = Array.from({ length: 500 }, (_, index) => `key ${index}`).sort();
  for (const [index, key] of keys.entries()) world.set(key, 'v', index + 1);
  const read = keys.filter((_, index) => index % 3 === 0);
  t.deepEqual(pass(world), []);
  for (const key of read) t.is(world.get(key), 'v');
  t.deepEqual(
    pass(world),
    keys.filter((key) => !read.includes(key)),
  );
  t.deepEqual(
    pass(world),
    keys.filter((key) => !read.includes(key)),
  );
  t.deepEqual(pass(world), keys);
});

test('what is known of use follows its key when tables grow and keys are purged', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), fc.infiniteStream(fc.nat(9)), (count, dice) => {
      const world = tracked();
      const used = new Set<string>();
      const present = new Set<string>();
      for (let index = 0; index < count; index++) world.set(`old ${index}`, 'v', index + 1);
      for (let index = 0; index < count; index++) present.add(`old ${index}`);
      pass(world);
      for (let index = 0; index < count; index++) {
        const key = `old ${index}`;
        const die = dice.next().value;
        if (die < 3) {
          world.get(key);
          used.add(key);
        } else if (die < 5) {
          world.delete(key, 10_000 + index);
          present.delete(key);
        }
      }
      world.store.audit.purge(0, world.store.lastLsn, 0, 2 ** 50);
      for (let index = 0; index < count * 2; index++) world.set(`new ${index}`, 'v', 20_000 + index);
      t.deepEqual(pass(world), [...present].filter((key) => !used.has(key)).sort());
    }),
    { numRuns: 30 },
  );
});

test('nothing is offered that is deleted, and nothing at all when uses are not tracked', (t) => {
  const world = tracked();
  world.set('a', 'v', 1);
  world.set('b', 'v', 2);
  world.delete('a', 3);
  pass(world);
  t.deepEqual(pass(world), ['b']);
  const plain = new StorageWorld(2, { partitions: 1, durability: 'none' });
  plain.untilRoom();
  plain.set('a', 'v', 1);
  t.deepEqual([pass(plain), pass(plain)], [[], []]);
});

test('an eviction replaces exactly the value that it saw, whatever comes first, and after a restart too', (t) => {
  for (const order of ['value first', 'eviction first'] as const) {
    const world = new StorageWorld(3);
    world.untilRoom();
    if (order === 'eviction first') world.delete('k', 7, 2);
    world.set('k', 'seen', 7, 2);
    if (order === 'value first') world.delete('k', 7, 2);
    t.is(world.get('k'), undefined, order);
    t.deepEqual([world.store.stats().keys, world.store.stats().tombstones], [0, 1]);
    world.settle();
    world.crash({ powerLoss: true });
    world.open();
    t.is(world.get('k'), undefined, order);
    world.set('k', 'newer, low stamp', 7, 3);
    t.is(world.get('k'), 'newer, low stamp');
    world.delete('k', 7, 2);
    t.is(world.get('k'), 'newer, low stamp', 'an eviction of what is no longer there');
    evict(world, 'k');
    t.is(world.get('k'), undefined);
  }
});

test('versions are totally ordered, so replicas agree in whatever order they hear of them', (t) => {
  const version = fc.record({
    counter: fc.integer({ min: 0, max: 3 }),
    node: fc.integer({ min: 1, max: 2 }),
    kind: fc.constantFrom(RecordKind.value, RecordKind.tombstone),
  });
  type Version = { counter: number; node: number; kind: number };
  const order = (a: Version, b: Version): number =>
    Math.sign(compareVersions(a.counter, a.node, a.kind, b.counter, b.node, b.kind));
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      t.is(order(a, b), -order(b, a) + 0);
      t.is(order(a, b) === 0, a.counter === b.counter && a.node === b.node && a.kind === b.kind);
      if (order(a, b) >= 0 && order(b, c) >= 0) t.true(order(a, c) >= 0);
    }),
  );
  fc.assert(
    fc.property(fc.array(version, { minLength: 1, maxLength: 6 }), fc.func(fc.nat()), (versions, shuffle) => {
      const shuffled = [...versions].sort((a, b) => shuffle(a) - shuffle(b));
      const held = [versions, shuffled].map((each) => {
        const world = new StorageWorld(4, { durability: 'none' });
        world.untilRoom();
        for (const { counter, node, kind } of each) {
          if (kind === RecordKind.value) world.set('k', `${counter}/${node}`, counter, node);
          else world.delete('k', counter, node);
        }
        world.find('k');
        const { counter, node, kind } = world.store.found;
        return { counter, node, kind };
      });
      t.deepEqual(held[0], held[1]);
    }),
    { numRuns: 100 },
  );
});

test('a tombstone that comes in below the floor is not purged without evidence of its own, not by a restart either', (t) => {
  const world = new StorageWorld(5, { partitions: 1 });
  world.untilRoom();
  const purge = (evidenceLsn: number): number => world.store.audit.purge(0, evidenceLsn, 0, 2 ** 50);
  world.set('old', 'v', 1);
  world.set('deleted', 'v', 2);
  world.delete('deleted', 90);
  const evidence = world.store.lastLsn;
  t.is(purge(evidence), 1);
  evict(world, 'old');
  world.set('other', 'v', 100);
  world.delete('other', 101);
  const later = world.store.lastLsn;
  // Evidence that ends before the eviction: it stays, and holds up nothing else.
  t.is(purge(evidence), 0);
  world.settle();
  world.crash({ powerLoss: true });
  world.open();
  t.true(world.find('old'));
  t.is(world.store.found.kind, RecordKind.tombstone);
  t.is(purge(later), 2);
  t.false(world.find('old'));
});

test('tables that leave out what came in below the own floor are no evidence about it, unless the other floor is as high', (t) => {
  const world = new StorageWorld(6, { partitions: 1 });
  world.untilRoom();
  world.set('old', 'v', 10);
  world.set('deleted', 'v', 2);
  world.delete('deleted', 90);
  world.store.audit.purge(0, world.store.lastLsn, 0, 2 ** 50);
  const before = world.store.lastLsn;
  evict(world, 'old');
  const { audit } = world.store;
  audit.tableOf(0, { counter: 5, node: 1, cutoffMs: 0 });
  t.is(audit.comparableLsn, before);
  audit.tableOf(0, { counter: 10, node: 1, cutoffMs: 0 });
  t.is(audit.comparableLsn, Number.POSITIVE_INFINITY);
});
