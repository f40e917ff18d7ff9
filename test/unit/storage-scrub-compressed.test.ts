import test from 'ava';
import { compressedPath } from '../../src/storage/segment-header.js';
import { flipInMemory, places } from '../harness/flip-bits.js';
import { SimRandom } from '../harness/sim-random.js';
import { StorageWorld } from '../harness/storage-world.js';

/** Two cycles of the scrub, and the time that its last steps take. */
const FOUND_WITHIN_MS = 60_000;
const KEYS = 1500;
const LINE = 'The quick brown fox jumps over the lazy dog, and number ';

/** A log of text over several segments, given the time to be compressed. */
function compressedLog(seed: number): StorageWorld {
  const world = new StorageWorld(seed, { compression: true, partitions: 8 });
  for (let key = 0; key < KEYS; key++) {
    world.set(`key ${key}`, lineOf(key), key + 1);
    if (key % 50 === 0) world.settle();
  }
  world.settle();
  world.run(FOUND_WITHIN_MS);
  return world;
}

function lineOf(key: number): string {
  return `${LINE}${key} follows ${key - 1}. `.repeat(4);
}

function wrongKeys(world: StorageWorld): string[] {
  const keys = Array.from({ length: KEYS }, (_, key) => key);
  return keys.filter((key) => world.get(`key ${key}`) !== lineOf(key)).map((key) => `key ${key}`);
}

function compressedFiles(world: StorageWorld): string[] {
  return world.image.paths().filter((path) => path.endsWith('.lz4'));
}

function counts(world: StorageWorld): { found: number; repaired: number; inMemory: number } {
  return {
    found: world.metric('scrub_corrupt_total', { where: 'file' }),
    repaired: world.metric('scrub_repaired_total', { where: 'file' }),
    inMemory: world.metric('scrub_corrupt_total', { where: 'memory' }),
  };
}

/** The log is what it was, in memory and for a start after a power cut. */
function isRight(world: StorageWorld): boolean {
  const before = wrongKeys(world);
  world.crash({ powerLoss: true });
  world.open();
  return before.length === 0 && wrongKeys(world).length === 0;
}

test('a bit that flips in a compressed file, anywhere in it, is found and the file made again from memory', (t) => {
  const world = compressedLog(1);
  t.true(compressedFiles(world).length > 2);
  const random = new SimRandom(1);
  // The header, the length and checksum of the first block, and anywhere.
  for (let round = 0; round < 60; round++) {
    const path = random.pick(compressedFiles(world));
    const file = world.image.file(path);
    const whole = file?.content() ?? new Uint8Array(0);
    const byte = round < 40 ? round : random.below(whole.length);
    file?.flipBit(byte, random.below(8));
    const before = counts(world);
    world.run(FOUND_WITHIN_MS);
    const after = counts(world);
    t.is(after.found - before.found, 1, `byte ${byte} of ${path}`);
    t.is(after.repaired - before.repaired, 1);
    t.is(after.inMemory, 0);
    t.deepEqual(world.image.file(path)?.content(), whole);
    t.deepEqual(wrongKeys(world), []);
  }
  t.deepEqual(
    world.image.paths().filter((path) => path.endsWith('.repair')),
    [],
  );
  t.true(isRight(world));
});

test('a compressed file that is cut off, too long or gone is made again from memory', (t) => {
  const world = compressedLog(2);
  const [path] = compressedFiles(world);
  const whole = world.image.file(path)?.content() ?? new Uint8Array(0);
  const damages = [
    () => world.image.file(path)?.write(new Uint8Array(1), 0, 1, whole.length),
    () => world.image.file(path)?.write(whole, 0, 5000, whole.length),
    () => world.image.remove(path),
  ];
  for (const [index, damage] of damages.entries()) {
    damage();
    world.run(FOUND_WITHIN_MS);
    t.deepEqual(world.image.file(path)?.content(), whole);
    t.is(counts(world).repaired, index + 1);
  }
  t.true(isRight(world));
});

test('what was damaged in the file before it was compressed is found behind its sound checksums', (t) => {
  const world = new StorageWorld(3, { compression: true, partitions: 8 });
  for (let key = 0; key < KEYS; key++) {
    world.set(`key ${key}`, lineOf(key), key + 1);
    if (key % 50 === 0) world.settle();
    // Before anything had the time to read it.
    if (key === 400) world.image.file('log/0000000000000001.seg')?.flipBit(90_000, 3);
  }
  world.settle();
  world.run(FOUND_WITHIN_MS);
  t.true(compressedFiles(world).includes('log/0000000000000001.lz4'));
  t.is(counts(world).found, 1);
  t.is(counts(world).repaired, 1);
  t.true(isRight(world));
});

test('memory that is damaged is read back from a compressed file', (t) => {
  const world = compressedLog(4);
  const random = new SimRandom(4);
  for (let round = 0; round < 20; round++) {
    const place = random.pick(places(world.store).filter(({ segment }) => segment.compressed));
    flipInMemory(place, random.below(place.bytes), random.below(8));
    world.run(FOUND_WITHIN_MS);
    t.is(world.metric('scrub_repaired_total', { where: 'memory' }), round + 1);
    t.deepEqual(wrongKeys(world), []);
  }
  t.is(counts(world).found, 0);
});

test('a record that is damaged in memory and in its compressed file is lost, said to be, and nothing else is', (t) => {
  const world = compressedLog(5);
  const lost: number[] = [];
  world.store.audit.scrub.onLost = (partition) => lost.push(partition);
  const place = places(world.store).filter(({ segment }) => segment.compressed)[77];
  const path = compressedPath(place.segment.id);
  world.image.file(path)?.flipBit((world.image.file(path)?.size ?? 0) >> 1, 3);
  flipInMemory(place, 30, 3);
  world.run(FOUND_WITHIN_MS);
  world.find(place.key);
  t.true(world.store.found.lost);
  t.is(lost.length, 1);
  t.deepEqual(
    wrongKeys(world).filter((key) => key !== place.key),
    [],
  );
  t.is(counts(world).repaired, 1, 'the file was made again without it');
  world.crash({ powerLoss: true });
  world.open();
  t.deepEqual(wrongKeys(world), [place.key]);
});

test('a power cut at any moment of making a compressed file again leaves a file that a start reads, or the damaged one', (t) => {
  const refused: boolean[] = [];
  for (let seed = 0; seed < 12; seed++) {
    const world = compressedLog(6);
    const [path] = compressedFiles(world);
    const whole = world.image.file(path)?.content() ?? new Uint8Array(0);
    world.image.file(path)?.flipBit(100, 1);
    const began = () => world.image.paths().some((name) => name.endsWith('.repair'));
    t.true(world.world.runUntil(began, world.world.nowMs + FOUND_WITHIN_MS));
    world.run(seed / 2);
    world.crash({ powerLoss: true });
    const isDamaged = Buffer.compare(world.image.file(path)?.content() ?? whole, whole) !== 0;
    refused.push(isDamaged);
    if (isDamaged) {
      const damaged = t.throws(() => world.open());
      t.true(damaged?.message.includes(path));
      world.image.file(path)?.flipBit(100, 1);
    }
    world.open();
    t.false(began(), 'what was left is removed');
    t.deepEqual(wrongKeys(world), []);
  }
  t.true(refused.includes(true) && refused.includes(false));
});

test('on a full disk a damaged compressed file is made again once there is room', (t) => {
  const world = compressedLog(7);
  const [path] = compressedFiles(world);
  const whole = world.image.file(path)?.content();
  world.image.behaviour.capacityBytes = world.image.usedBytes();
  world.image.file(path)?.flipBit(100, 1);
  world.run(FOUND_WITHIN_MS);
  t.true(counts(world).found > 0);
  t.is(counts(world).repaired, 0);
  t.is(world.fatal, undefined);
  world.image.behaviour.capacityBytes = Number.POSITIVE_INFINITY;
  world.run(FOUND_WITHIN_MS);
  t.is(counts(world).repaired, 1);
  t.deepEqual(world.image.file(path)?.content(), whole);
  t.true(isRight(world));
});
