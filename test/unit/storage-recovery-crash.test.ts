import test from 'ava';
import type { Disk } from '../../src/ports/disk.js';
import { StorageWorld } from '../harness/storage-world.js';

class PowerCut extends Error {}

/** A disk whose power goes before the call number `cutAt` that changes anything. */
function cutBefore(disk: Disk, cutAt: number, counted: { calls: number }): Disk {
  const change = (): void => {
    if (counted.calls++ === cutAt) throw new PowerCut();
  };
  return {
    lock: () => disk.lock(),
    unlock: () => disk.unlock(),
    list: (directory) => disk.list(directory),
    exists: (path) => disk.exists(path),
    read: (path) => disk.read(path),
    open: (path) => disk.open(path),
    readLater: (path, position, length, done) => disk.readLater(path, position, length, done),
    makeDirectory: (directory) => {
      change();
      disk.makeDirectory(directory);
    },
    replace: (path, bytes) => {
      change();
      disk.replace(path, bytes);
    },
    preallocate: (path, bytes, done) => {
      change();
      disk.preallocate(path, bytes, done);
    },
    replaceLater: (path, bytes, done) => {
      change();
      disk.replaceLater(path, bytes, done);
    },
    compress: (from, to, bytes, done) => {
      change();
      disk.compress(from, to, bytes, done);
    },
    readCompressed: (path) => disk.readCompressed(path),
    readCompressedLater: (path, place, length, done) => disk.readCompressedLater(path, place, length, done),
    rename: (from, to, done) => {
      change();
      disk.rename(from, to, done);
    },
    removeLater: (path, done) => {
      change();
      disk.removeLater(path, done);
    },
    remove: (path) => {
      change();
      disk.remove(path);
    },
    syncDirectory: (directory) => {
      change();
      disk.syncDirectory(directory);
    },
  };
}

/** A log over several segments whose last batches nothing proves, after an earlier crash. */
function crashedLog(seed: number): { world: StorageWorld; keys: number } {
  const world = new StorageWorld(seed, { durability: 'interval', syncIntervalMs: 20 });
  let keys = 0;
  const write = (count: number): void => {
    for (const end = keys + count; keys < end; keys++) world.set(`key ${keys}`, `${keys}`.repeat(200), keys + 1);
    world.store.commit();
  };
  write(30);
  world.run();
  write(10);
  world.crash({ powerLoss: false });
  world.open();
  write(150);
  write(150);
  world.crash({ powerLoss: false });
  return { world, keys };
}

test('a crash at any step of a recovery, and of the recovery after it, loses nothing', (t) => {
  for (let cutAt = 0; ; cutAt++) {
    const { world, keys } = crashedLog(cutAt);
    const counted = { calls: 0 };
    world.wrapDisk = (disk) => cutBefore(disk, cutAt, counted);
    let finished = false;
    try {
      world.open();
      finished = true;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
    world.wrapDisk = undefined;
    if (!finished) world.open();
    t.is(world.store.lastLsn, keys);
    for (let key = 0; key < keys; key++) t.is(world.get(`key ${key}`), `${key}`.repeat(200));
    world.crash({ powerLoss: true });
    world.open();
    for (let key = 0; key < keys; key++) t.is(world.get(`key ${key}`), `${key}`.repeat(200));
    if (finished) {
      t.true(cutAt > 5, `only ${cutAt} steps`);
      break;
    }
  }
});

test('a power cut at any step of a recovery keeps all that was durable before it', (t) => {
  for (let cutAt = 0; cutAt < 40; cutAt++) {
    const world = new StorageWorld(cutAt);
    for (let key = 0; key < 200; key++) {
      world.set(`key ${key}`, `${key}`.repeat(200), key + 1);
      if (key % 25 === 24) world.settle();
    }
    world.set('tail', 'not synced', 999);
    world.store.commit();
    world.crash({ powerLoss: false });
    const counted = { calls: 0 };
    world.wrapDisk = (disk) => cutBefore(disk, cutAt % 20, counted);
    try {
      world.open();
      world.crash({ powerLoss: true });
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      world.image.losePower();
    }
    world.wrapDisk = undefined;
    world.open();
    t.true(world.store.lastLsn >= 200);
    for (let key = 0; key < 200; key++) t.is(world.get(`key ${key}`), `${key}`.repeat(200));
  }
});
