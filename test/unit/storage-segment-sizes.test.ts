import test from 'ava';
import { RecordKind, recordBytes } from '../../src/model/record.js';
import { MANIFEST_PATH } from '../../src/storage/manifest.js';
import { StorageWorld } from '../harness/storage-world.js';

const MIB: number = 1024 * 1024;
const LARGEST_SEGMENT_BYTES: number = 16 * MIB;
const VALUE = 'v'.repeat(100_000);
const LARGE_VALUE_BYTES: number = 3 * MIB;

function fileSizes(world: StorageWorld): number[] {
  const files = world.image.paths().filter((path) => path.startsWith('log/') && path !== MANIFEST_PATH);
  return files.map((path) => world.image.file(path)?.size ?? 0);
}

test('segments are small while there is little data, and grow with it, in memory and on disk', (t) => {
  const world = new StorageWorld(1, { segmentBytes: LARGEST_SEGMENT_BYTES });
  world.untilRoom();
  t.true(fileSizes(world).every((bytes) => bytes === MIB));
  t.true(world.store.stats().segmentBytes <= 2 * MIB);
  for (let key = 0; key < 700; key++) {
    world.set(`key ${key}`, VALUE, key + 1);
    if (key % 5 === 0) world.settle();
  }
  world.run();
  // A 24th of 70 MB, as a power of two.
  t.is(Math.max(...fileSizes(world)), 2 * MIB);
  t.is(world.close(), undefined);
  world.open();
  for (let key = 0; key < 700; key += 50) t.is(world.get(`key ${key}`), VALUE);
});

test('a value larger than the segments of a small store waits for a larger one, and is kept across a restart', (t) => {
  const world = new StorageWorld(2, { segmentBytes: LARGEST_SEGMENT_BYTES });
  world.set('small', 'x', 1);
  t.is(world.store.room(recordBytes(5, LARGE_VALUE_BYTES), RecordKind.value), 'busy');
  world.set('large', new Uint8Array(LARGE_VALUE_BYTES).fill(7), 2);
  t.true(world.roomCalls > 0, 'those that were refused are told of the room');
  world.set('small again', 'y', 3);
  world.run();
  // From now on every segment holds one.
  t.is(world.store.room(recordBytes(5, LARGE_VALUE_BYTES), RecordKind.value), 'ok');
  world.settle();
  world.crash({ powerLoss: true });
  world.open();
  t.is(world.get('small'), 'x');
  t.is(world.getBytes('large')?.length, LARGE_VALUE_BYTES);
  t.is(world.get('small again'), 'y');
});

test('a crash at any moment in which files are made again larger leaves a log that starts', (t) => {
  for (let cutMs = 0; cutMs < 60; cutMs++) {
    const world = new StorageWorld(cutMs, { segmentBytes: LARGEST_SEGMENT_BYTES });
    world.set('small', 'x', 1);
    world.settle();
    world.store.room(recordBytes(5, LARGE_VALUE_BYTES), RecordKind.value);
    world.run(cutMs);
    world.crash({ powerLoss: true });
    world.open();
    t.is(world.get('small'), 'x');
    world.set('large', new Uint8Array(LARGE_VALUE_BYTES), 2);
    world.settle();
    t.is(world.close(), undefined);
    world.open();
    t.is(world.getBytes('large')?.length, LARGE_VALUE_BYTES);
  }
});

test('on a disk without room for a larger segment large values are refused, and small ones go on', (t) => {
  const world = new StorageWorld(3, { segmentBytes: LARGEST_SEGMENT_BYTES }, (image) => {
    image.behaviour.capacityBytes = 4 * MIB;
  });
  world.set('small', 'x', 1);
  world.run();
  const large = recordBytes(5, LARGE_VALUE_BYTES);
  t.not(world.store.room(large, RecordKind.value), 'ok');
  world.run();
  t.is(world.store.room(large, RecordKind.value), 'disk-full');
  world.run();
  for (let key = 0; key < 12; key++) world.set(`small ${key}`, VALUE, key + 2);
  world.settle();
  world.image.behaviour.capacityBytes = 100 * MIB;
  world.untilRoom(large);
  world.set('large', new Uint8Array(LARGE_VALUE_BYTES), 100);
  world.settle();
  t.is(world.getBytes('large')?.length, LARGE_VALUE_BYTES);
});

test('memory that compaction leaves behind is used again: overwriting touches no fresh memory in the long run', (t) => {
  const world = new StorageWorld(4, { durability: 'none', segmentBytes: LARGEST_SEGMENT_BYTES });
  let counter = 0;
  const overwrite = (writes: number): void => {
    for (let write = 0; write < writes; write++) {
      counter++;
      world.set(`key ${(Math.imul(counter, 0x9e3779b1) >>> 8) % 20_000}`, 'x'.repeat(200), counter);
      if (write % 100 === 99) world.store.commit();
    }
  };
  overwrite(200_000);
  const before = world.store.stats();
  overwrite(200_000);
  const after = world.store.stats();
  t.true(after.segmentBytes <= before.segmentBytes + 2 * MIB, `${before.segmentBytes} to ${after.segmentBytes}`);
  t.true(after.accountedBytes < 2.2 * (after.liveBytes + after.indexBytes) + 4 * MIB);
});
