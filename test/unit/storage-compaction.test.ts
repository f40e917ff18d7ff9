import test from 'ava';
import { MANIFEST_PATH } from '../../src/storage/manifest.js';
import { StorageModel } from '../harness/storage-model.js';
import { StorageWorld } from '../harness/storage-world.js';

const KEYS = 300;
const VALUE = 'v'.repeat(400);

/** Overwrites the same keys; every tenth is written once only, so that segments stay partly live. */
function overwrite(world: StorageWorld, model: StorageModel, writes: number, first: number): number {
  let counter = first;
  for (let write = 0; write < writes; write++) {
    const number = (write * 7919) % KEYS;
    const key = number % 10 === 0 ? `once ${counter}` : `key ${number}`;
    const value = `${VALUE}${counter}`;
    model.add({ lsn: world.set(key, value, counter), key, value, counter });
    counter++;
    if (write % 20 === 19) world.settle();
  }
  return counter;
}

function bytesOnDisk(world: StorageWorld): number {
  return world.image
    .paths()
    .filter((path) => path !== MANIFEST_PATH)
    .reduce((sum, path) => sum + (world.image.file(path)?.size ?? 0), 0);
}

test('a log that is overwritten over and over stays below twice what is live, in memory and on disk', (t) => {
  const world = new StorageWorld(1, { segmentBytes: 256 * 1024 });
  let peakMemory = 0;
  let peakDisk = 0;
  let counter = 1;
  const keys = 20_000;
  for (let round = 0; round < 6; round++) {
    for (let write = 0; write < keys; write++) {
      world.set(`key ${(write * 7919) % keys}`, VALUE.slice(0, 100), counter++);
      if (write % 100 !== 99) continue;
      world.settle();
      const { accountedBytes, logBytesOnDisk } = world.store.stats();
      if (round < 2) continue;
      peakMemory = Math.max(peakMemory, accountedBytes);
      peakDisk = Math.max(peakDisk, logBytesOnDisk);
    }
  }
  const { liveBytes } = world.store.stats();
  // Two files ready, one spare and the one being filled are a third of these few data.
  t.true(peakMemory < 2 * liveBytes, `memory ${peakMemory / liveBytes}`);
  t.true(peakDisk < 2 * liveBytes + 4 * 256 * 1024, `disk ${peakDisk / liveBytes}`);
  t.true(world.metric('compaction_copied_bytes_total') < counter * 150 * 0.9, 'write amplification below 1.9');
  world.run();
  t.is(world.store.stats().logBytesOnDisk, bytesOnDisk(world));
  t.true(world.metric('log_files_recycled_total') > 10);
});

test('a power cut at any moment of compaction, of its manifests and of the reuse of files loses nothing', (t) => {
  let compacted = 0;
  for (let cutMs = 0; cutMs < 120; cutMs++) {
    const world = new StorageWorld(cutMs);
    const model = new StorageModel();
    const counter = overwrite(world, model, 700, 1);
    world.run(cutMs / 2);
    overwrite(world, model, 200, counter);
    world.run((cutMs % 7) * 0.3);
    compacted += world.metric('compaction_groups_total');
    world.crash({ powerLoss: true });
    world.open();
    model.check(world);
    model.checkCursor(world, 0);
    world.run(1000);
    model.check(world);
    world.crash({ powerLoss: true });
    world.open();
    model.check(world);
  }
  t.true(compacted > 200, `only ${compacted} groups were compacted`);
});

test('a cursor misses nothing that is newest, wherever it stands when compaction moves records', (t) => {
  const world = new StorageWorld(2);
  const model = new StorageModel();
  let counter = overwrite(world, model, 300, 1);
  const cursors = [0, 50, 150, 299].map((afterLsn) => ({ afterLsn, cursor: world.store.logCursor(afterLsn), seen: 0 }));
  const seen = cursors.map(() => new Set<number>());
  for (let round = 0; round < 15; round++) {
    for (const [index, one] of cursors.entries()) {
      for (let step = 0; step < 40 + index * 10 && one.cursor.next(); step++) {
        t.true(one.cursor.lsn > one.seen);
        one.seen = one.cursor.lsn;
        seen[index].add(one.cursor.lsn);
      }
    }
    counter = overwrite(world, model, 150, counter);
    world.run(700);
  }
  t.true(world.metric('compaction_groups_total') > 5);
  for (const [index, { cursor, afterLsn }] of cursors.entries()) {
    while (cursor.next()) seen[index].add(cursor.lsn);
    for (const { lsn, key } of model.newest().values()) {
      t.true(lsn <= afterLsn || seen[index].has(lsn), `${key} at LSN ${lsn} was missed from ${afterLsn} on`);
    }
    model.checkCursor(world, afterLsn);
  }
});

test('on a full disk compaction waits, nothing is lost, and it goes on when there is space', (t) => {
  const world = new StorageWorld(3);
  const model = new StorageModel();
  const counter = overwrite(world, model, 600, 1);
  world.image.behaviour.capacityBytes = bytesOnDisk(world);
  let added = 0;
  while (world.store.room(600, 2) === 'ok' && added < 2000) {
    const value = `${VALUE}${counter + added}`;
    const key = `key ${added % KEYS}`;
    model.add({ lsn: world.set(key, value, counter + added), key, value, counter: counter + added });
    added++;
    if (added % 20 === 0) {
      world.store.commit();
      world.run(50);
    }
  }
  world.run(20_000);
  model.check(world);
  world.image.behaviour.capacityBytes = Number.POSITIVE_INFINITY;
  world.run(20_000);
  world.settle();
  overwrite(world, model, 300, counter + added);
  world.run(20_000);
  model.check(world);
  t.true(world.world.faults.count('disk-full') > 0);
  world.crash({ powerLoss: true });
  world.open();
  model.check(world);
});

test('a failed sync of a copy or of a manifest ends the store, and nothing is lost', (t) => {
  let ended = 0;
  for (let seed = 0; seed < 30; seed++) {
    const world = new StorageWorld(seed);
    const model = new StorageModel();
    overwrite(world, model, 600, 1);
    // Everything is synced: the next sync is one of compaction.
    world.image.behaviour.failSyncs = 1;
    world.run(400);
    world.image.behaviour.failSyncs = 0;
    if (world.fatal !== undefined) {
      ended++;
      t.not(world.store.room(64, 2), 'ok');
    }
    world.crash({ powerLoss: seed % 2 === 0 });
    world.open();
    model.check(world);
  }
  t.true(ended > 10, `only ${ended} ended`);
});
