import test from 'ava';
import { flipInFile, flipInMemory, type Place, places } from '../harness/flip-bits.js';
import { SimRandom } from '../harness/sim-random.js';
import { StorageWorld } from '../harness/storage-world.js';

/** Two cycles of the scrub, and the time that its last step takes. */
const FOUND_WITHIN_MS = 45_000;
const KEYS = 300;

function filled(seed: number, durability: 'sync' | 'none' = 'sync'): StorageWorld {
  const world = new StorageWorld(seed, { durability, partitions: 8 });
  for (let key = 0; key < KEYS; key++) {
    world.set(`key ${key}`, `value ${key} `.repeat(1 + (key % 60)), key + 1);
    if (key % 40 === 0) world.settle();
  }
  for (let key = 0; key < KEYS; key += 10) world.delete(`key ${key}`, 1000 + key);
  world.settle();
  return world;
}

/** Everything that the store says of its keys, in short. */
function contents(world: StorageWorld): string[] {
  return Array.from({ length: KEYS }, (_, key) => {
    const value = world.get(`key ${key}`);
    if (world.store.found.lost) return 'lost';
    return value === `value ${key} `.repeat(1 + (key % 60)) ? 'right' : `${value?.slice(0, 12)}`;
  });
}

function corrupt(world: StorageWorld, where: string): number {
  return world.metric('scrub_corrupt_total', { where });
}

test('a bit that flips in memory, anywhere in a record, is found and read back from the file', (t) => {
  for (let seed = 0; seed < 36; seed++) {
    const world = filled(seed);
    const random = new SimRandom(seed);
    const before = contents(world);
    const place = random.pick(places(world.store));
    const byte = seed < 24 ? seed : random.below(place.bytes);
    flipInMemory(place, byte, random.below(8));
    world.run(FOUND_WITHIN_MS);
    t.deepEqual(contents(world), before, `seed ${seed}, byte ${byte}`);
    t.is(corrupt(world, 'memory'), 1);
    t.is(world.metric('scrub_repaired_total', { where: 'memory' }), 1);
    t.is(corrupt(world, 'file'), 0);
  }
});

test('a bit that flips in a file, anywhere in it, is found and written again from memory', (t) => {
  for (let seed = 0; seed < 36; seed++) {
    const world = filled(seed);
    const random = new SimRandom(seed);
    const before = contents(world);
    const place = random.pick(places(world.store));
    // The header of the segment too.
    const byte = seed < 10 ? seed * 6 - place.offset : random.below(place.bytes);
    flipInFile(world.image, place, byte, random.below(8));
    world.run(FOUND_WITHIN_MS);
    t.is(corrupt(world, 'file'), 1, `seed ${seed}, byte ${byte}`);
    t.is(world.metric('scrub_repaired_total', { where: 'file' }), 1);
    world.crash({ powerLoss: true });
    world.open();
    t.deepEqual(contents(world), before);
  }
});

test('a record that is damaged in memory and in its file is lost, said to be, and nothing else is', (t) => {
  for (let seed = 0; seed < 36; seed++) {
    const world = filled(seed, seed % 3 === 0 ? 'none' : 'sync');
    const random = new SimRandom(seed);
    const lost: number[] = [];
    world.store.audit.scrub.onLost = (partition) => lost.push(partition);
    const before = contents(world);
    const place = random.pick(places(world.store).filter((each) => isNewest(world, each)));
    const byte = seed < 24 ? seed : random.below(place.bytes - 4);
    if (seed % 3 !== 0) flipInFile(world.image, place, byte, 1);
    flipInMemory(place, byte, 3);
    world.run(FOUND_WITHIN_MS);
    const expected = [...before];
    expected[Number(place.key.slice(4))] = 'lost';
    t.deepEqual(contents(world), expected, `seed ${seed}, byte ${byte}`);
    t.is(lost.length, 1);
    // Whoever walks over the log gets past the place.
    t.is(places(world.store).length, KEYS + KEYS / 10 - 1);
    if (seed % 3 === 0) continue;
    world.crash({ powerLoss: true });
    world.open();
    t.is(places(world.store).length, KEYS + KEYS / 10 - 1, 'the file was filled as well');
  }
});

test('keys and tombstones are counted right when a record is lost whose kind was damaged', (t) => {
  for (const name of ['key 7', 'key 10']) {
    for (let bit = 4; bit < 8; bit++) {
      const world = filled(bit, 'none');
      const place = places(world.store).find((each) => each.key === name && isNewest(world, each));
      if (place === undefined) return t.fail();
      flipInMemory(place, 11, bit);
      world.run(FOUND_WITHIN_MS);
      const { keys, tombstones } = world.store.stats();
      const deleted = name === 'key 10' ? 1 : 0;
      t.deepEqual({ keys, tombstones }, { keys: KEYS * 0.9 - 1 + deleted, tombstones: KEYS / 10 - deleted });
    }
  }
});

test('a damaged version that was replaced before anybody noticed is out of what replicas compare', (t) => {
  for (const isInFileToo of [false, true]) {
    // A flip in the upper bytes of the stamp lets the damaged version look newer: then what comes is refused.
    for (const byte of [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 22, 23, 24, 25, 26, 27, 28]) {
      const world = filled(byte);
      const place = places(world.store).find((each) => each.key === 'key 7');
      if (place === undefined) return t.fail();
      flipInMemory(place, byte, byte % 8);
      if (isInFileToo) flipInFile(world.image, place, byte, byte % 8);
      world.set('key 7', 'new', 5000);
      world.settle();
      world.run(FOUND_WITHIN_MS);
      t.is(corrupt(world, 'memory'), 1);
      t.is(world.get('key 7'), 'new', `byte ${byte}`);
      const shown = compared(world);
      world.crash({ powerLoss: false });
      world.open();
      // Where the damage was in the file as well, there is a record instead that means nothing, and counts as live now.
      const filler = isInFileToo ? place.bytes : 0;
      t.deepEqual({ ...shown, liveBytes: shown.liveBytes + filler }, compared(world), `byte ${byte}`);
    }
  }
});

/** What the store says of its partitions to other replicas, and counts. */
function compared({ store }: StorageWorld): Record<string, unknown> & { readonly liveBytes: number } {
  const { keys, tombstones, liveBytes } = store.stats();
  const partitions = Array.from({ length: store.placement.partitions }, (_, partition) => [
    store.audit.rootOf(partition),
    store.audit.mortalOf(partition),
  ]);
  return { keys, tombstones, liveBytes, partitions };
}

test('a lost key is known again once it is written with a newer stamp', (t) => {
  const world = filled(7, 'none');
  const [, place] = places(world.store);
  flipInMemory(place, 20, 1);
  world.run(FOUND_WITHIN_MS);
  world.find(place.key);
  t.true(world.store.found.lost);
  world.set(place.key, 'new', 5000);
  t.is(world.get(place.key), 'new');
  t.false(world.store.found.lost);
});

test('compaction moves nothing that is damaged, and loses nothing behind a damaged length', (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const world = new StorageWorld(seed, { partitions: 4 });
    const random = new SimRandom(seed);
    let counter = 1;
    const put = (key: number): number => world.set(`key ${key}`, `${counter}`.padEnd(1000, 'x'), counter++);
    for (let key = 0; key < 200; key++) put(key);
    world.settle();
    const place = places(world.store)[100 + random.below(20)];
    flipInMemory(place, 8 + random.below(4), random.below(8));
    for (let round = 0; round < 4; round++) {
      for (let key = 0; key < 100; key++) put(key);
      world.settle();
    }
    world.run(3000);
    t.true(world.metric('compaction_groups_total') > 0);
    for (let key = 0; key < 200; key++) t.true(world.find(`key ${key}`) && !world.store.found.lost);
    world.crash({ powerLoss: true });
    world.open();
    for (let key = 0; key < 200; key++) t.true(world.find(`key ${key}`));
  }
});

function isNewest(world: StorageWorld, { key, segment, offset }: Place): boolean {
  return world.find(key) && world.store.found.segment === segment && world.store.found.offset === offset;
}

test('a round over more than one slice finds nothing where nothing is', (t) => {
  const world = new StorageWorld(1, { partitions: 4, segmentBytes: 1024 * 1024 });
  for (let key = 0; key < 130; key++) {
    world.set(`key ${key}`, 'x'.repeat(70_001 + key), key + 1);
    if (key % 10 === 0) world.settle();
  }
  world.settle();
  world.run(2 * FOUND_WITHIN_MS);
  t.is(corrupt(world, 'file') + corrupt(world, 'memory'), 0);
  t.true(world.metric('scrub_bytes_total', { where: 'file' }) > 9_000_000);
  t.true(world.metric('scrub_bytes_total', { where: 'memory' }) > 9_000_000);
});
