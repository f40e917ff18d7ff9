import test from 'ava';
import type { DiskFile } from '../../src/ports/disk.js';
import { StartReader } from '../../src/storage/start-reader.js';
import { StorageError } from '../../src/storage/storage-error.js';
import { SimFile } from '../harness/sim-file.js';
import { StorageWorld } from '../harness/storage-world.js';

const KiB = 1024;

function fileOf(content: Uint8Array): DiskFile {
  const file = new SimFile(content);
  return {
    path: 'log/1.seg',
    size: () => file.size,
    read: (target, offset, length, position) => file.read(target, offset, length, position),
    write: () => {},
    sync: () => {},
    close: () => {},
  };
}

/** Zeros, but for some bytes. */
function sparse(length: number, ...at: readonly number[]): Uint8Array {
  const content = new Uint8Array(length);
  for (const position of at) content[position] = 7;
  return content;
}

test('what is in the file is in memory, wherever it has zeros and however long it is', (t) => {
  const reader = new StartReader();
  const contents = [
    sparse(0),
    sparse(5, 4),
    sparse(300 * KiB),
    sparse(300 * KiB, 0),
    sparse(300 * KiB + 3, 64 * KiB - 1, 200 * KiB, 300 * KiB + 2),
    sparse(256 * KiB, 256 * KiB - 1),
    new Uint8Array(130 * KiB + 1).fill(9),
  ];
  for (const content of contents) {
    for (const fresh of [true, false]) {
      const memory = new Uint8Array(content.length).fill(fresh ? 0 : 255);
      const end = reader.load(fileOf(content), memory, fresh);
      t.is(Buffer.compare(memory, content), 0);
      t.true(
        content.subarray(end).every((byte) => byte === 0),
        'zeros from there on',
      );
    }
    t.is(
      reader.isAllZero(fileOf(content)),
      content.every((byte) => byte === 0),
    );
  }
});

test('memory behind the last bytes of a file is not written to', (t) => {
  const content = sparse(1024 * KiB, 10, 100 * KiB);
  const written: number[] = [];
  class WatchedMemory extends Uint8Array {
    override set(bytes: ArrayLike<number>, offset = 0): void {
      written.push(offset + bytes.length);
      super.set(bytes, offset);
    }
  }
  const memory = new WatchedMemory(content.length);
  const end = new StartReader().load(fileOf(content), memory, true);
  t.is(end, Math.max(...written));
  t.true(end > 100 * KiB && end <= 200 * KiB);
});

test('a longer file is read up to the end of memory only', (t) => {
  const memory = new Uint8Array(70 * KiB);
  new StartReader().load(fileOf(new Uint8Array(100 * KiB).fill(1)), memory, true);
  t.true(memory.every((byte) => byte === 1));
});

test('a hole of zeros in durable records is damage, however long it is', (t) => {
  for (const [from, to] of [
    [64, 128],
    [64, 512],
    [130, 400],
  ] as const) {
    const world = new StorageWorld(1, { segmentBytes: 1024 * KiB });
    for (let key = 0; key < 600; key++) {
      world.set(`key ${key}`, 'x'.repeat(1000), key + 1);
      if (key % 20 === 0) world.settle();
    }
    world.settle();
    world.crash({ powerLoss: false });
    world.image
      .file('log/0000000000000001.seg')
      ?.write(new Uint8Array((to - from) * KiB), 0, (to - from) * KiB, from * KiB);
    const error = t.throws(() => world.open(), { instanceOf: StorageError });
    t.is(error?.code, 'corrupt');
  }
});

test('a segment that is a third full takes a third of its memory after a restart, and is filled up', (t) => {
  const world = new StorageWorld(2, { segmentBytes: 1024 * KiB });
  for (let key = 0; key < 300; key++) world.set(`key ${key}`, 'x'.repeat(1000), key + 1);
  world.settle();
  t.is(world.close(), undefined);
  const accounted = [1, 2].map(() => {
    world.open();
    const { accountedBytes } = world.store.stats();
    t.is(world.close(), undefined);
    return accountedBytes;
  });
  t.true(accounted[0] < 500 * KiB, `${accounted[0]} bytes, though a third of the segment is used`);
  t.is(accounted[1], accounted[0]);
  world.open();
  for (let key = 300; key < 900; key++) world.set(`key ${key}`, 'y'.repeat(1000), key + 1);
  world.settle();
  world.crash({ powerLoss: true });
  world.open();
  t.is(world.get('key 299'), 'x'.repeat(1000));
  t.is(world.get('key 899'), 'y'.repeat(1000));
});
