import test from 'ava';
import { RecordKind, recordBytes } from '../../src/model/record.js';
import { MANIFEST_PATH } from '../../src/storage/manifest.js';
import { StorageWorld } from '../harness/storage-world.js';

const MIB: number = 1024 * 1024;
const LARGEST_SEGMENT_BYTES: number = 16 * MIB;
const VALUE = 'v'.repeat(100_000);
const LARGE_VALUE_BYTES: number = 3 * MIB;
const RECORD_BYTES: number = recordBytes(5, LARGE_VALUE_BYTES);

function fileSizes(world: StorageWorld): number[] {
  const files = world.image.paths().filter((path) => path.startsWith('log/') && path !== MANIFEST_PATH);
  return files.map((path) => world.image.file(path)?.size ?? 0);
}

test('segments are small while there is little data, and grow with it, in memory and on disk', (t) => {
  const world = new StorageWorld(1, { segmentBytes: LARGEST_SEGMENT_BYTES, recordBytesMax: 200_000 });
  world.untilRoom();
  t.true(fileSizes(world).every((bytes) => bytes === MIB / 2));
  t.true(world.store.stats().segmentBytes <= MIB);
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

test('the largest value that may come finds room at once, however little data there is', (t) => {
  const world = new StorageWorld(2, { segmentBytes: LARGEST_SEGMENT_BYTES, recordBytesMax: RECORD_BYTES });
  world.untilRoom();
  world.run();
  t.true(fileSizes(world).every((bytes) => bytes === 4 * MIB));
  world.set('small', 'x', 1);
  for (let write = 0; write < 4; write++) {
    t.is(world.store.room(RECORD_BYTES, RecordKind.value), 'ok');
    world.set('large', new Uint8Array(LARGE_VALUE_BYTES).fill(write), 2 + write);
    world.settle();
    world.run();
  }
  t.is(world.store.room(RECORD_BYTES + 4 * MIB, RecordKind.value), 'memory-full');
  world.crash({ powerLoss: true });
  world.open();
  t.is(world.get('small'), 'x');
  t.deepEqual(world.getBytes('large'), new Uint8Array(LARGE_VALUE_BYTES).fill(3));
});

test('memory alone takes a large value at once, and goes on in small segments', (t) => {
  const world = new StorageWorld(3, { segmentBytes: LARGEST_SEGMENT_BYTES, durability: 'none' });
  world.set('small', 'x', 1);
  const before = world.store.stats().segmentBytes;
  t.true(before < MIB);
  world.set('large', new Uint8Array(LARGE_VALUE_BYTES), 2);
  for (let key = 0; key < 20; key++) world.set(`key ${key}`, VALUE, key + 3);
  t.true(world.store.stats().segmentBytes <= before + 4 * MIB + 3 * MIB);
  t.is(world.get('small'), 'x');
  t.is(world.getBytes('large')?.length, LARGE_VALUE_BYTES);
});

test('a start under a larger limit on values goes on in files that hold them', (t) => {
  for (const powerLoss of [false, true]) {
    const world = new StorageWorld(4, { segmentBytes: LARGEST_SEGMENT_BYTES, recordBytesMax: 1000 });
    world.set('small', 'x', 1);
    world.settle();
    world.run();
    if (powerLoss) world.crash({ powerLoss });
    else world.close();
    world.open({ recordBytesMax: RECORD_BYTES });
    world.untilRoom(RECORD_BYTES);
    world.set('large', new Uint8Array(LARGE_VALUE_BYTES), 2);
    world.settle();
    world.close();
    world.open({ recordBytesMax: 1000 });
    t.is(world.get('small'), 'x');
    t.is(world.getBytes('large')?.length, LARGE_VALUE_BYTES);
    world.set('small', 'y', 3);
    world.settle();
    world.crash({ powerLoss: true });
    world.open();
    t.is(world.get('small'), 'y');
  }
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
