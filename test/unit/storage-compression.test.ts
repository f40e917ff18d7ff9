import test from 'ava';
import { MANIFEST_PATH } from '../../src/storage/manifest.js';
import { StorageError } from '../../src/storage/storage-error.js';
import { StorageWorld } from '../harness/storage-world.js';

const LINE = 'The quick brown fox jumps over the lazy dog, and number ';

/** A log of text over several segments, given the time to be compressed. */
function compressedLog(seed: number): { world: StorageWorld; rawBytes: number } {
  const world = new StorageWorld(seed, { compression: true });
  for (let key = 0; key < 2000; key++) {
    world.set(`key ${key}`, `${LINE}${key} follows ${key - 1}. `.repeat(4), key + 1);
    if (key % 50 === 0) world.settle();
  }
  world.settle();
  const rawBytes = world.store.stats().liveBytes;
  world.run(60_000);
  return { world, rawBytes };
}

test('files of text are less than half as large once they are compressed, and a start reads them', (t) => {
  const { world, rawBytes } = compressedLog(1);
  const saved = world.metric('log_compression_saved_bytes_total');
  t.true(saved > rawBytes / 2, `${saved} of ${rawBytes}`);
  t.true(world.image.paths().filter((path) => path.endsWith('.lz4')).length > 3);
  const onDisk = world.image.paths().reduce((sum, path) => sum + (world.image.file(path)?.size ?? 0), 0);
  const manifestBytes = world.image.file(MANIFEST_PATH)?.size ?? 0;
  t.is(world.store.stats().logBytesOnDisk, onDisk - manifestBytes);
  for (const end of [() => world.crash({ powerLoss: true }), () => world.close()]) {
    end();
    world.open();
    for (let key = 0; key < 2000; key += 7) t.true(world.get(`key ${key}`)?.startsWith(`${LINE}${key} `));
  }
});

test('a compressed file that is damaged or missing is refused by name', (t) => {
  const { world } = compressedLog(2);
  world.close();
  const whole = world.image.backup();
  const path = world.image.paths().find((name) => name.endsWith('.lz4')) ?? '';
  for (const damage of [() => world.image.flipBit(path), () => world.image.remove(path)]) {
    damage();
    const error = t.throws(() => world.open(), { instanceOf: StorageError });
    t.is(error?.code, 'corrupt');
    t.is(error?.file, path);
    world.image.restore(whole);
  }
  world.open();
  t.true(world.get('key 0')?.startsWith(LINE));
});

test('what does not shrink is left as it is', (t) => {
  const world = new StorageWorld(3, { compression: true });
  for (let key = 0; key < 400; key++) {
    const value = Uint8Array.from({ length: 1000 }, () => world.world.random.below(256));
    world.set(`key ${key}`, value, key + 1);
    if (key % 50 === 0) world.settle();
  }
  world.settle();
  world.run(60_000);
  t.is(world.metric('log_compression_saved_bytes_total'), 0);
  t.deepEqual(
    world.image.paths().filter((path) => path.endsWith('.lz4')),
    [],
  );
});
