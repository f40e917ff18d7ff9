import test from 'ava';
import { RecordKind } from '../../src/model/record.js';
import { SMALL_SEGMENT_BYTES, StorageWorld } from '../harness/storage-world.js';

test('what was written is read back, and the newest stamp wins whatever the order', (t) => {
  const world = new StorageWorld(1);
  world.set('a', 'first', 10);
  world.set('a', 'older', 9);
  t.is(world.get('a'), 'first');
  world.set('a', 'same counter, higher node', 10, 2);
  t.is(world.get('a'), 'same counter, higher node');
  t.is(world.store.found.counter, 10);
  t.is(world.store.found.node, 2);
  t.is(world.get('b'), undefined);
});

test('stamps up to 2^53 - 1 survive', (t) => {
  const world = new StorageWorld(2);
  world.set('a', 'late', Number.MAX_SAFE_INTEGER, 65_535);
  world.settle();
  world.crash({ powerLoss: true });
  world.open();
  t.is(world.get('a'), 'late');
  t.is(world.store.found.counter, Number.MAX_SAFE_INTEGER);
  t.is(world.store.found.node, 65_535);
  t.is(world.store.highestCounter(), Number.MAX_SAFE_INTEGER);
});

test('a record is not durable before its sync ends, and then it is', (t) => {
  const world = new StorageWorld(3);
  const lsn = world.set('a', 'x', 1);
  t.true(world.find('a'));
  t.false(world.store.found.durable);
  world.store.commit();
  t.true(world.store.durableLsn < lsn);
  t.is(world.durableLsn, 0);
  world.settle();
  t.is(world.durableLsn, lsn);
  t.true(world.find('a'));
  t.true(world.store.found.durable);
});

test('what is appended while a sync runs goes out with the next one', (t) => {
  const world = new StorageWorld(4);
  const first = world.set('a', '1', 1);
  world.store.commit();
  const second = world.set('b', '2', 2);
  world.store.commit();
  t.true(world.world.runUntil(() => world.durableLsn > 0, world.world.nowMs + 1000));
  t.is(world.durableLsn, first);
  t.true(world.world.runUntil(() => world.durableLsn > first, world.world.nowMs + 1000));
  t.is(world.durableLsn, second);
});

test('values of 256 bytes and more, and empty ones, survive a restart', (t) => {
  const world = new StorageWorld(5);
  const sizes = [0, 1, 3, 4, 5, 223, 224, 225, 255, 256, 257, 1000, 4096, 40_000];
  for (const size of sizes) world.set(`size ${size}`, new Uint8Array(size).fill(size & 0xff), size + 1);
  world.settle();
  world.crash({ powerLoss: true });
  world.open();
  for (const size of sizes) t.deepEqual(world.getBytes(`size ${size}`), new Uint8Array(size).fill(size & 0xff));
});

test('deleted keys stay deleted after a restart', (t) => {
  const world = new StorageWorld(6);
  world.set('a', 'x', 1);
  world.settle();
  world.delete('a', 2);
  world.settle();
  t.is(world.get('a'), undefined);
  world.crash({ powerLoss: true });
  world.open();
  t.is(world.get('a'), undefined);
  t.true(world.find('a'));
  t.is(world.store.found.kind, RecordKind.tombstone);
  t.is(world.store.stats().tombstones, 1);
  t.is(world.store.stats().keys, 0);
});

test('keys that share a 32-bit hash are two keys', (t) => {
  const world = new StorageWorld(7);
  world.hash = () => 0xfffffff0;
  for (let key = 0; key < 200; key++) world.set(`key ${key}`, `value ${key}`, key + 1);
  world.delete('key 7', 1000);
  for (let key = 0; key < 200; key++) t.is(world.get(`key ${key}`), key === 7 ? undefined : `value ${key}`);
  t.is(world.get('key 200'), undefined);
  t.is(world.store.stats().keys, 199);
});

test('keys that murmur3 gives one hash survive a restart side by side', (t) => {
  const world = new StorageWorld(8, { hashSeed: 0 });
  const [one, other] = findCollision(world);
  t.is(world.hashOf(one), world.hashOf(other));
  world.set(one, 'one', 1);
  world.set(other, 'other', 2);
  world.settle();
  world.crash({ powerLoss: true });
  world.open();
  t.is(world.get(one), 'one');
  t.is(world.get(other), 'other');
});

test('a log of many segments is read back as a whole', (t) => {
  const world = new StorageWorld(9);
  const value = 'v'.repeat(1000);
  for (let key = 0; key < 1000; key++) {
    world.set(`key ${key}`, `${value}${key}`, key + 1);
    if (key % 7 === 0) world.store.commit();
  }
  world.settle();
  t.true(world.store.stats().segments > 7);
  const last = world.store.lastLsn;
  world.crash({ powerLoss: true });
  world.open();
  t.is(world.store.lastLsn, last);
  t.is(world.store.durableLsn, last);
  for (let key = 0; key < 1000; key++) t.is(world.get(`key ${key}`), `${value}${key}`);
});

test('a batch across a segment change becomes durable only when both files are synced', (t) => {
  const world = new StorageWorld(10);
  const value = new Uint8Array(50_000);
  world.set('first', value, 1);
  world.settle();
  const start = world.store.logCursor(0);
  start.next();
  const firstSegment = start.segment;
  world.set('second', value, 2);
  const last = world.set('third', value, 3);
  world.store.commit();
  const second = world.store.logCursor(last - 1);
  t.true(second.next());
  t.not(second.segment, firstSegment);
  world.world.runUntil(() => world.durableLsn >= last, world.world.nowMs + 1000);
  t.is(firstSegment.durableOffset, firstSegment.tail);
  t.is(second.segment.durableOffset, second.segment.tail);
});

test('after a clean end the same file is continued, and no start leaves more files behind', (t) => {
  const world = new StorageWorld(11);
  for (let start = 0; start < 20; start++) {
    world.set(`key ${start}`, 'x', start + 1);
    world.settle();
    t.is(world.close(), undefined);
    world.open();
  }
  t.is(world.store.stats().segments, 1);
  t.is(world.store.lastLsn, 20);
  for (let key = 0; key < 20; key++) t.is(world.get(`key ${key}`), 'x');
  world.run();
  t.true(world.image.paths().length <= 4, world.image.paths().join(' '));
});

test('many crashes leave few files', (t) => {
  const world = new StorageWorld(12);
  for (let start = 0; start < 30; start++) {
    world.set(`key ${start}`, `value ${start}`, start + 1);
    world.settle();
    world.crash({ powerLoss: start % 2 === 0 });
    world.open();
    t.is(world.store.lastLsn, start + 1);
  }
  for (let key = 0; key < 30; key++) t.is(world.get(`key ${key}`), `value ${key}`);
  world.run();
  t.true(world.store.stats().segments <= 2);
  t.true(world.image.paths().length <= 6, world.image.paths().join(' '));
});

test('meta records keep the last value of each name, across restarts', (t) => {
  const world = new StorageWorld(13);
  world.store.putMeta('lease', new Uint8Array([1]));
  world.store.putMeta('epoch', new Uint8Array([2, 2]));
  world.store.putMeta('lease', new Uint8Array([3]));
  let synced = false;
  world.store.syncNow(() => {
    synced = true;
  });
  world.run();
  t.true(synced);
  world.crash({ powerLoss: true });
  world.open();
  t.deepEqual(world.store.meta('lease'), new Uint8Array([3]));
  t.deepEqual(world.store.meta('epoch'), new Uint8Array([2, 2]));
  t.is(world.store.meta('nothing'), undefined);
  t.deepEqual(world.store.metaNames().sort(), ['epoch', 'lease']);
});

test('the placement is kept, and one that comes late rebuilds the index', (t) => {
  const world = new StorageWorld(14);
  t.false(world.store.placement.configured);
  world.set('early', 'x', 1);
  world.store.configurePlacement(64, 99);
  world.set('late', 'y', 2);
  t.is(world.get('early'), 'x');
  world.settle();
  world.crash({ powerLoss: true });
  world.open();
  t.deepEqual(world.store.placement, { partitions: 64, hashSeed: 99, configured: true });
  t.is(world.get('early'), 'x');
  t.is(world.get('late'), 'y');
  world.close();
  world.open();
  t.is(world.get('late'), 'y');
  t.is(world.store.stats().keys, 2);
});

test('interval: a record may be spoken of once written, and syncNow really syncs', (t) => {
  const world = new StorageWorld(15, { durability: 'interval', syncIntervalMs: 500 });
  const lsn = world.set('a', 'x', 1);
  const before = world.store.syncedLsn;
  t.true(before < lsn);
  world.store.commit();
  t.is(world.store.durableLsn, lsn);
  t.is(world.durableLsn, lsn);
  t.true(world.store.syncedLsn < lsn);
  let synced = false;
  world.store.syncNow(() => {
    synced = true;
  });
  t.false(synced);
  world.run(100);
  t.true(synced);
  t.is(world.store.syncedLsn, lsn);
});

test('interval: what was written is synced by itself', (t) => {
  const world = new StorageWorld(16, { durability: 'interval', syncIntervalMs: 500 });
  const lsn = world.set('a', 'x', 1);
  world.store.commit();
  world.run(600);
  t.is(world.store.syncedLsn, lsn);
  world.crash({ powerLoss: true });
  world.open();
  t.is(world.get('a'), 'x');
});

test('none: no disk is used and everything may be spoken of at once', (t) => {
  const world = new StorageWorld(17, { durability: 'none' });
  for (let key = 0; key < 500; key++) world.set(`key ${key}`, 'v'.repeat(1000), key + 1);
  t.is(world.store.durableLsn, 500);
  world.store.commit();
  t.is(world.durableLsn, 500);
  let done = false;
  world.store.syncNow(() => {
    done = true;
  });
  t.true(done);
  t.deepEqual(world.image.paths(), []);
  t.is(world.get('key 499'), 'v'.repeat(1000));
});

test('at the memory bound values are refused and tombstones pass', (t) => {
  const world = new StorageWorld(18, { memoryBytesMax: 40_000 });
  let count = 0;
  while (world.store.room(1100, RecordKind.value) !== 'memory-full') {
    world.set(`key ${count++}`, 'v'.repeat(1000), count);
  }
  t.true(count > 10 && count < 40);
  t.is(world.store.room(100, RecordKind.tombstone), 'ok');
  world.delete('key 0', 1000);
  t.is(world.get('key 0'), undefined);
  t.is(world.get('key 1'), 'v'.repeat(1000));
});

test('live and dead bytes add up', (t) => {
  const world = new StorageWorld(19);
  world.set('a', 'x'.repeat(100), 1);
  world.set('b', 'x'.repeat(100), 2);
  const before = world.store.stats();
  world.set('a', 'y'.repeat(100), 3);
  const after = world.store.stats();
  t.is(after.liveBytes, before.liveBytes);
  t.is(after.deadBytes, before.deadBytes + 128);
  t.is(after.keys, 2);
});

test('segments that are no power of two or too small are refused', (t) => {
  t.throws(() => new StorageWorld(20, { segmentBytes: 100_000 }), { instanceOf: RangeError });
  t.throws(() => new StorageWorld(20, { segmentBytes: SMALL_SEGMENT_BYTES / 2 }), { instanceOf: RangeError });
});

test('a log is read back under another segment size', (t) => {
  const world = new StorageWorld(21);
  for (let key = 0; key < 300; key++) world.set(`key ${key}`, 'v'.repeat(1000), key + 1);
  world.settle();
  world.close();
  world.open({ segmentBytes: SMALL_SEGMENT_BYTES * 4 });
  world.untilRoom();
  for (let key = 300; key < 600; key++) world.set(`key ${key}`, 'v'.repeat(1000), key + 1);
  world.settle();
  world.crash({ powerLoss: true });
  world.open();
  for (let key = 0; key < 600; key++) t.is(world.get(`key ${key}`), 'v'.repeat(1000));
});

/** Two keys of one hash, by birthday: about 77,000 tries. */
function findCollision(world: StorageWorld): [string, string] {
  const seen = new Map<number, string>();
  for (let number = 0; ; number++) {
    const key = `key ${number}`;
    const hash = world.hashOf(key);
    const other = seen.get(hash);
    if (other !== undefined) return [other, key];
    seen.set(hash, key);
  }
}
