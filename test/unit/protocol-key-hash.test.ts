import { keyHash, partitionOfHash } from '@memdb/protocol';
import test from 'ava';
import { viewOf } from '../harness/protocol-frames.js';

function hashOf(key: string | Uint8Array, seed: number, before = 0): number {
  const body = typeof key === 'string' ? new TextEncoder().encode(key) : key;
  const bytes = new Uint8Array(before + body.length + 5).fill(0x5a);
  bytes.set(body, before);
  return keyHash(bytes, viewOf(bytes), before, body.length, seed);
}

// Vectors that circulate for MurmurHash3_x86_32, among them those of Appleby's own verification (0xb0f57ee3 below).
const vectors: readonly (readonly [key: string | Uint8Array, seed: number, hash: number])[] = [
  ['', 0, 0],
  ['', 1, 0x514e28b7],
  ['', 0xffffffff, 0x81f16f39],
  [Uint8Array.of(0xff, 0xff, 0xff, 0xff), 0, 0x76293b50],
  [Uint8Array.of(0x21, 0x43, 0x65, 0x87), 0, 0xf55b516b],
  [Uint8Array.of(0x21, 0x43, 0x65, 0x87), 0x5082edee, 0x2362f9de],
  [Uint8Array.of(0x21, 0x43, 0x65), 0, 0x7e4a8634],
  [Uint8Array.of(0x21, 0x43), 0, 0xa0f7b07a],
  [Uint8Array.of(0x21), 0, 0x72661cf4],
  [Uint8Array.of(0, 0, 0, 0), 0, 0x2362f9de],
  [Uint8Array.of(0, 0, 0), 0, 0x85f0b427],
  [Uint8Array.of(0, 0), 0, 0x30f4c306],
  [Uint8Array.of(0), 0, 0x514e28b7],
  ['aaaa', 0x9747b28c, 0x5a97808a],
  ['Hello, world!', 0x9747b28c, 0x24884cba],
  ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
];

for (const [key, seed, hash] of vectors) {
  test(`keyHash is murmur3 x86 32: ${typeof key === 'string' ? `"${key}"` : `[${key}]`}, seed ${seed}`, (t) => {
    for (const before of [0, 1, 2, 3]) t.is(hashOf(key, seed, before), hash, `at offset ${before}`);
  });
}

test('keyHash passes the verification of the reference implementation', (t) => {
  // SMHasher: hash keys {}, {0}, {0,1}, … with seed 256 - i; the hash of all results is the verification value.
  const results = new Uint8Array(1024);
  for (let index = 0; index < 256; index++) {
    const key = Uint8Array.from({ length: index }, (_, at) => at);
    viewOf(results).setUint32(index * 4, hashOf(key, 256 - index), true);
  }
  t.is(hashOf(results, 0), 0xb0f57ee3);
});

test('a partition is one arc of the hash space', (t) => {
  t.is(partitionOfHash(0, 256), 0);
  t.is(partitionOfHash(2 ** 24 - 1, 256), 0);
  t.is(partitionOfHash(2 ** 24, 256), 1);
  t.is(partitionOfHash(0xffffffff, 256), 255);
  t.is(partitionOfHash(0xffffffff, 1), 0);
  t.is(partitionOfHash(0xffffffff, 65_536), 65_535);
});
