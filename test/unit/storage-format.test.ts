import { readFileSync } from 'node:fs';
import test from 'ava';
import { contentHash } from '../../src/model/content-hash.js';
import { decodeManifest, EMPTY_MANIFEST, encodeManifest, MANIFEST_PATH } from '../../src/storage/manifest.js';
import { StorageError } from '../../src/storage/storage-error.js';
import { SimFile } from '../harness/sim-file.js';
import { StorageWorld } from '../harness/storage-world.js';

/** The tests run from the repository's root. */
const DOCUMENT = readFileSync('docs/log-format.md', 'utf8');

/** The bytes of each hex block of the document, in order: rows of an offset, bytes, and a comment. */
function hexBlocks(): Uint8Array[] {
  return [...DOCUMENT.matchAll(/```hex\n([\s\S]*?)```/g)].map(([, block]) => {
    const bytes: number[] = [];
    for (const row of block.split('\n')) {
      const match = /^([0-9a-f]{4}) {2}((?:[0-9a-f]{2} ?)+)(?: {2}|$)/.exec(row);
      if (match === null) continue;
      if (Number.parseInt(match[1], 16) !== bytes.length) throw new Error(`the offset of "${row}" is wrong`);
      for (const byte of match[2].trim().split(' ')) bytes.push(Number.parseInt(byte, 16));
    }
    return new Uint8Array(bytes);
  });
}

test('the worked example of docs/log-format.md is what the code writes', (t) => {
  const world = new StorageWorld(1);
  world.untilRoom();
  world.store.putMeta('lease', new Uint8Array([0, 0, 0, 1]));
  world.set('user:1', 'Ada', 7, 1);
  world.settle();
  world.delete('user:1', 2 ** 32 + 8, 2);
  world.settle();
  world.close();
  const [segment, , manifest] = hexBlocks();
  const written = world.image.file('log/0000000000000001.seg')?.content() ?? new Uint8Array(0);
  t.true(segment.length > 290);
  t.deepEqual(written.slice(0, segment.length), segment);
  t.true(written.slice(segment.length).every((byte) => byte === 0));
  t.deepEqual(world.image.file('log/MANIFEST')?.content(), manifest);
});

test('the worked example of a value that expires is what the code writes', (t) => {
  const world = new StorageWorld(1);
  world.untilRoom();
  world.set('k', 'v', 9, 1, Date.UTC(2030, 0, 1));
  const [, record] = hexBlocks();
  const { segment, offset } = world.store.appended;
  t.is(offset, 0x68);
  t.deepEqual(segment.bytes.slice(offset, offset + record.length), record);
});

test('a manifest is read as it was written, and refused when anything in it changed', (t) => {
  const manifest = {
    segments: [
      { id: 5, generation: 5, firstLsn: 2 ** 40, end: 1000, compressed: true },
      { id: 0x80000003, generation: 0x80000003, firstLsn: 2 ** 40 + 77, end: 2 ** 24, compressed: false },
    ],
    nextSegmentId: 6,
    previous: { id: 4, end: 65_536 },
    nextLsn: 2 ** 41 + 5,
    partitions: 256,
    hashSeed: 0xfedcba98,
    keysHint: 1_000_000,
  };
  const bytes = encodeManifest(manifest);
  t.deepEqual(decodeManifest(bytes), manifest);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3] ^= 1 << (bit & 7);
    t.is(decodeManifest(bytes), undefined);
    bytes[bit >> 3] ^= 1 << (bit & 7);
  }
  for (let length = 0; length < bytes.length; length++) t.is(decodeManifest(bytes.slice(0, length)), undefined);
});

test('a directory of another version is refused: the error names the file, both formats, and what to do', (t) => {
  const world = new StorageWorld(1);
  world.close();
  const before = world.image.backup();
  // The manifests of earlier versions had shorter headers.
  for (const [version, length] of [
    [1, 24],
    [2, 44],
    [2, 68],
    [4, 76],
  ]) {
    const bytes = encodeManifest(EMPTY_MANIFEST).slice(0, length);
    const other = new Uint8Array(length);
    other.set(bytes);
    const view = new DataView(other.buffer);
    view.setUint32(8, version, true);
    view.setInt32(length - 4, contentHash(view, 0, length - 4), true);
    world.image.set(MANIFEST_PATH, new SimFile(other));
    const error = t.throws(() => world.open(), { instanceOf: StorageError });
    t.is(error?.code, 'unsupported-format');
    t.is(error?.file, MANIFEST_PATH);
    t.true(error?.message.startsWith(`log/MANIFEST has format ${version}, and this version of MemDB reads format 3.`));
    t.regex(error?.message ?? '', /Start the version that wrote it\. .*memdb backup.*memdb restore/);
    t.is(world.image.file(MANIFEST_PATH)?.size, length, 'nothing was touched');
  }
  world.image.restore(before);
  world.open();
});

test('the content hash is XXH32', (t) => {
  const hash = (text: string): number => {
    const bytes = new Uint8Array(Buffer.from(text));
    return contentHash(new DataView(bytes.buffer), 0, bytes.length) >>> 0;
  };
  t.is(hash(''), 0x02cc5d05);
  t.is(hash('abcd'), 0xa3643705);
});
