import test from 'ava';
import { RecordKind } from '../../src/model/record.js';
import { EMPTY_MANIFEST, encodeManifest, MANIFEST_PATH } from '../../src/storage/manifest.js';
import { StorageError } from '../../src/storage/storage-error.js';
import { SimFile } from '../harness/sim-file.js';
import { SMALL_SEGMENT_BYTES, StorageWorld } from '../harness/storage-world.js';

test('a failed sync acknowledges nothing and ends the store', (t) => {
  const world = new StorageWorld(1);
  world.set('a', 'x', 1);
  world.settle();
  const durable = world.store.durableLsn;
  world.image.behaviour.failSyncs = 1;
  world.set('b', 'y', 2);
  let synced = false;
  world.store.syncNow(() => {
    synced = true;
  });
  world.run();
  t.true(world.fatal instanceof StorageError);
  t.is((world.fatal as StorageError).code, 'io');
  t.is(world.store.durableLsn, durable);
  t.is(world.durableLsn, durable);
  t.false(synced);
  world.store.commit();
  world.run();
  t.is(world.store.durableLsn, durable);
  t.not(world.store.room(64, RecordKind.value), 'ok');
});

test('after a failed sync and a restart, what the page cache shows is made durable in another file', (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const world = new StorageWorld(seed);
    for (let key = 0; key < 60; key++) world.set(`before ${key}`, 'x'.repeat(500), key + 1);
    world.settle();
    world.image.behaviour.failSyncs = 1;
    world.set('b', 'y', 100);
    world.store.commit();
    world.run();
    t.truthy(world.fatal);
    world.crash({ powerLoss: false });
    world.open();
    t.is(world.get('b'), 'y');
    t.true(world.store.found.durable);
    world.crash({ powerLoss: true });
    world.open();
    t.is(world.get('b'), 'y');
    t.is(world.get('before 59'), 'x'.repeat(500));
  }
});

test('a write error ends the store and acknowledges nothing', (t) => {
  const world = new StorageWorld(2);
  world.untilRoom();
  const lsn = world.set('a', 'x', 1);
  world.image.behaviour.failWrites = 1;
  world.store.commit();
  t.truthy(world.fatal);
  world.run();
  t.true(world.store.durableLsn < lsn);
  world.crash({ powerLoss: false });
  world.open();
  world.set('a', 'again', 2);
  world.settle();
  t.is(world.get('a'), 'again');
});

test('a full disk refuses writes before anything is stored, reads go on, and writing resumes by itself', (t) => {
  const world = new StorageWorld(3, {}, (image) => {
    image.behaviour.capacityBytes = 3 * SMALL_SEGMENT_BYTES + 1000;
  });
  let count = 0;
  let room = 'ok';
  while (room !== 'disk-full') {
    world.world.runUntil(
      () => ['ok', 'disk-full'].includes(world.store.room(1100, RecordKind.value)),
      world.world.nowMs + 5000,
    );
    room = world.store.room(1100, RecordKind.value);
    if (room === 'ok') world.set(`key ${count++}`, 'v'.repeat(1000), count);
    if (count % 5 === 0) world.settle();
  }
  world.settle();
  t.true(count > 200);
  t.is(world.get('key 0'), 'v'.repeat(1000));
  // Meta records have a reserve.
  world.store.putMeta('lease', new Uint8Array(100));
  world.settle();
  const calls = world.roomCalls;
  world.run(5000);
  t.is(world.store.room(1100, RecordKind.value), 'disk-full');
  world.image.behaviour.capacityBytes = Number.POSITIVE_INFINITY;
  t.true(world.world.runUntil(() => world.roomCalls > calls, world.world.nowMs + 3000));
  t.is(world.store.room(1100, RecordKind.value), 'ok');
  world.set('after', 'x', count + 1);
  world.settle();
  world.crash({ powerLoss: true });
  world.open();
  t.is(world.get('after'), 'x');
  t.is(world.get(`key ${count - 1}`), 'v'.repeat(1000));
});

test('a disk that is full from the start takes meta records into memory and data once there is space', (t) => {
  const world = new StorageWorld(4, {}, (image) => {
    image.behaviour.capacityBytes = 1000;
  });
  world.store.putMeta('identity', new Uint8Array([1]));
  world.store.commit();
  world.run(3000);
  t.is(world.store.room(64, RecordKind.value), 'disk-full');
  t.is(world.store.durableLsn, 0);
  world.image.behaviour.capacityBytes = Number.POSITIVE_INFINITY;
  world.run(3000);
  t.is(world.store.room(64, RecordKind.value), 'ok');
  t.is(world.store.durableLsn, 1);
});

test('a store starts on a full disk after a crash: it gives up a prepared file', (t) => {
  const world = new StorageWorld(5);
  world.set('a', 'x', 1);
  world.settle();
  world.run();
  world.set('b', 'y', 2);
  world.settle();
  world.crash({ powerLoss: false });
  world.image.behaviour.capacityBytes = world.image
    .paths()
    .reduce((sum, path) => sum + (world.image.file(path)?.size ?? 0), 0);
  world.open();
  t.is(world.get('a'), 'x');
  t.is(world.get('b'), 'y');
});

test('before the next segment is ready the store says busy, then calls back', (t) => {
  const world = new StorageWorld(6);
  t.is(world.store.room(64, RecordKind.value), 'busy');
  t.true(world.world.runUntil(() => world.roomCalls > 0, world.world.nowMs + 1000));
  t.is(world.store.room(64, RecordKind.value), 'ok');
});

test('old valid records in a reused file are not taken for new ones', (t) => {
  const first = new StorageWorld(7);
  first.untilRoom();
  for (let key = 0; key < 50; key++) first.set(`key ${key + 10}`, 'old'.repeat(10), key + 1);
  first.settle();
  first.crash({ powerLoss: false });
  const old = first.image.file('log/0000000000000001.seg')?.content() ?? new Uint8Array(0);

  // The same offsets and LSNs, but the second use of the file.
  const second = new StorageWorld(8, {}, (image) => {
    image.set('log', 'directory');
    image.set(MANIFEST_PATH, new SimFile(encodeManifest({ ...EMPTY_MANIFEST, nextSegmentId: 2 })));
  });
  second.untilRoom();
  for (let key = 0; key < 5; key++) second.set(`key ${key + 10}`, 'new'.repeat(10), key + 1);
  second.settle();
  const { tail } = second.store.appended.segment;
  second.crash({ powerLoss: false });
  second.image.file('log/0000000000000002.seg')?.write(old, tail, old.length - tail, tail);
  second.open();
  t.is(second.store.lastLsn, 5);
  t.is(second.get('key 14'), 'new'.repeat(10));
  t.is(second.get('key 15'), undefined);
});

test('a data directory without its manifest, or without one of its files, is refused by name', (t) => {
  const world = new StorageWorld(9);
  for (let key = 0; key < 600; key++) {
    world.set(`key ${key}`, 'x'.repeat(1000), key + 1);
    if (key % 20 === 0) world.settle();
  }
  world.settle();
  world.close();
  const whole = world.image.backup();
  const paths = world.image.paths();
  const used = paths.filter((path) => (world.image.file(path)?.content()[0] ?? 0) !== 0);
  t.true(used.length > 4);
  for (const path of used) {
    world.image.remove(path);
    const error = t.throws(() => world.open(), { instanceOf: StorageError }, path);
    t.is(error?.code, 'corrupt');
    t.true(error?.message.includes('does not start'));
    world.image.restore(whole);
  }
  world.open();
  t.is(world.get('key 599'), 'x'.repeat(1000));
});

test('closing right after opening leaves a log that opens', (t) => {
  const world = new StorageWorld(10);
  t.is(world.close(), undefined);
  world.open();
  t.is(world.close(), undefined);
  world.open();
  world.store.putMeta('a', new Uint8Array(1));
  t.is(world.close(), undefined);
  world.open();
  t.deepEqual(world.store.meta('a'), new Uint8Array(1));
});
