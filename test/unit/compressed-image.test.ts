import { createRequire } from 'node:module';
import test from 'ava';
import { type BlockCodec, codecsInstalled } from '../../src/platform/block-codec.js';
import { compressImage, expandImage, isCompressedImage } from '../../src/platform/compressed-image.js';

const require = createRequire(import.meta.url);
const codecs = codecsInstalled();
const BLOCK_BYTES = 64 * 1024;

function noise(bytes: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length: bytes }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

/** Real text, larger than several blocks: the source of a program that is there anyway. */
const text = new Uint8Array(Buffer.from(require('node:fs').readFileSync(require.resolve('fast-check')) as Buffer));

function expanded(image: Uint8Array, codec: BlockCodec): Uint8Array {
  const content = expandImage(image, codec);
  if (content instanceof Uint8Array) return content;
  throw new Error(`damaged at ${content.damagedAt}`);
}

test('at least one codec is installed where tests run', (t) => {
  t.true(codecs.length > 0);
});

for (const codec of codecs) {
  test(`${codec.name}: what was compressed comes back, whatever its length`, (t) => {
    for (const length of [0, 1, 100, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 77]) {
      for (const content of [text.slice(0, length), noise(length), new Uint8Array(length)]) {
        const image = compressImage(content, codec);
        t.true(isCompressedImage(image));
        t.deepEqual(expanded(image, codec), content);
      }
    }
  });

  test(`${codec.name}: text shrinks to less than half, and noise grows by no more than the headers`, (t) => {
    t.true(text.length > 4 * BLOCK_BYTES);
    t.true(compressImage(text, codec).length < text.length / 2);
    t.true(compressImage(noise(BLOCK_BYTES), codec).length <= BLOCK_BYTES + 40);
  });

  test(`${codec.name}: a damaged or cut file is refused, never expanded to something else`, (t) => {
    const content = text.slice(0, BLOCK_BYTES + 500);
    const image = compressImage(content, codec);
    for (let at = 0; at < image.length; at += at < 60 ? 1 : 97) {
      const damaged = image.slice();
      damaged[at] ^= 1 << (at & 7);
      t.false(expandImage(damaged, codec) instanceof Uint8Array, `byte ${at}`);
      t.false(expandImage(image.slice(0, at), codec) instanceof Uint8Array, `cut at ${at}`);
    }
    t.false(expandImage(Buffer.concat([image, new Uint8Array(1)]), codec) instanceof Uint8Array);
  });
}

test('every codec reads what the others wrote', (t) => {
  for (const writer of codecs) {
    for (const reader of codecs) t.deepEqual(expanded(compressImage(text, writer), reader), text);
  }
});
