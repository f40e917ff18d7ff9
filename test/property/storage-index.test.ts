import test from 'ava';
import fc from 'fast-check';
import { contentHash } from '../../src/model/content-hash.js';
import { RecordKind } from '../../src/model/record.js';
import { bytesOf, StorageWorld, viewOf } from '../harness/storage-world.js';

test('the index agrees with a Map, whatever hashes the keys have and in whatever order stamps come', (t) => {
  const write = fc.record({
    key: fc.nat(60),
    counter: fc.integer({ min: 1, max: 200 }),
    node: fc.integer({ min: 1, max: 3 }),
    dead: fc.boolean(),
  });
  // Few bits: many keys share all of their hash, and whole partitions share the rest.
  const hashes = fc.constantFrom(0, 1, 0xff, 0xf0000000, 0x80000001, 0xffffffff);
  fc.assert(
    fc.property(hashes, fc.constantFrom(1, 2, 256), fc.array(write, { maxLength: 300 }), (mask, partitions, writes) => {
      const world = new StorageWorld(1, { durability: 'none', partitions });
      world.hash = (key) => (Math.imul(key.length * 31 + key.charCodeAt(0), 0x9e3779b1) & mask) >>> 0;
      const model = new Map<string, { order: number; value: string | undefined }>();
      for (const { key: number, counter, node, dead } of writes) {
        const key = String.fromCharCode(65 + (number % 20)).repeat(1 + (number % 7));
        const order = counter * 10 + node;
        const value = dead ? undefined : `${order}`;
        if (dead) world.delete(key, counter, node);
        else world.set(key, `${order}`, counter, node);
        const held = model.get(key);
        if (held === undefined || order > held.order) model.set(key, { order, value });
      }
      for (const [key, { order, value }] of model) {
        t.is(world.get(key), value);
        t.true(world.find(key));
        t.is(world.store.found.counter * 10 + world.store.found.node, order);
      }
      const stats = world.store.stats();
      t.is(stats.keys + stats.tombstones, model.size);
      t.is(stats.tombstones, [...model.values()].filter(({ value }) => value === undefined).length);
    }),
    { numRuns: 200 },
  );
});

test('tables grow without losing a key', (t) => {
  const world = new StorageWorld(2, { durability: 'none', partitions: 4, segmentBytes: 4 * 1024 * 1024 });
  const count = 30_000;
  for (let key = 0; key < count; key++) world.set(`key ${key}`, `${key}`, key + 1);
  for (let key = 0; key < count; key++) if (world.get(`key ${key}`) !== `${key}`) t.fail(`key ${key}`);
  for (let key = count; key < count + 1000; key++) if (world.find(`key ${key}`)) t.fail(`key ${key} was never written`);
  const { indexBytes } = world.store.stats();
  t.true(indexBytes / count > 9.9 && indexBytes / count < 12.6, `${indexBytes / count} bytes a key`);
});

test('rebuilding under another placement loses nothing', (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(1, 8, 1024), (seed, partitions) => {
      const world = new StorageWorld(3, { durability: 'none' });
      for (let key = 0; key < 200; key++) world.set(`key ${key % 150}`, `${key}`, key + 1);
      world.delete('key 3', 999);
      const before = world.store.stats();
      world.store.configurePlacement(partitions, seed >>> 0);
      for (let key = 0; key < 150; key++) {
        const expected = key === 3 ? undefined : `${key < 50 ? key + 150 : key}`;
        if (world.get(`key ${key}`) !== expected) throw new Error(`key ${key}`);
      }
      const after = world.store.stats();
      t.is(after.keys, before.keys);
      t.is(after.tombstones, before.tombstones);
      t.is(world.store.found.kind, RecordKind.value);
    }),
    { numRuns: 20 },
  );
});

test('the content hash agrees with XXH32 written with big integers, and sees every changed word', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { maxLength: 40 }), fc.nat(39), fc.integer(), (words, index, other) => {
      const view = new DataView(new Int32Array([...words]).buffer);
      const hash = contentHash(view, 0, view.byteLength);
      t.is(hash >>> 0, slowHash(view));
      if (index >= words.length || words[index] === other) return;
      view.setInt32(index * 4, other, true);
      t.not(contentHash(view, 0, view.byteLength), hash);
    }),
  );
  const text = bytesOf('an offset inside of the view....');
  t.is(contentHash(viewOf(text), 8, 32), contentHash(viewOf(text.slice(8)), 0, 24));
});

/** XXH32 as its specification puts it. */
function slowHash(view: DataView): number {
  const [p1, p2, p3, p4, p5] = [2654435761n, 2246822519n, 3266489917n, 668265263n, 374761393n];
  const word = (value: bigint): bigint => value & 0xffffffffn;
  const rotate = (value: bigint, by: bigint): bigint => word(value << by) | (value >> (32n - by));
  const length = view.byteLength;
  let at = 0;
  let hash = p5;
  if (length >= 16) {
    const lanes = [word(p1 + p2), p2, 0n, word(-p1)];
    for (; at + 16 <= length; at += 16) {
      for (let lane = 0; lane < 4; lane++) {
        const input = BigInt(view.getUint32(at + lane * 4, true));
        lanes[lane] = word(rotate(word(lanes[lane] + input * p2), 13n) * p1);
      }
    }
    hash = rotate(lanes[0], 1n) + rotate(lanes[1], 7n) + rotate(lanes[2], 12n) + rotate(lanes[3], 18n);
  }
  hash = word(hash + BigInt(length));
  for (; at < length; at += 4) {
    hash = word(rotate(word(hash + BigInt(view.getUint32(at, true)) * p3), 17n) * p4);
  }
  hash = word((hash ^ (hash >> 15n)) * p2);
  hash = word((hash ^ (hash >> 13n)) * p3);
  return Number(hash ^ (hash >> 16n));
}

test('warming keys, known and unknown, changes nothing', (t) => {
  const world = new StorageWorld(1);
  const hashes = new Float64Array(64);
  for (let round = 0; round < 30; round++) {
    for (let at = 0; at < hashes.length; at++) hashes[at] = Math.floor(((round * 64 + at) * 2 ** 32) / 1920);
    hashes[0] = world.hashOf(`key-${round}`);
    world.set(`key-${round}`, `value ${round}`, round + 1);
    world.store.warm(hashes, hashes.length, round % 2 === 0);
  }
  for (let round = 0; round < 30; round++) t.is(world.get(`key-${round}`), `value ${round}`);
});
