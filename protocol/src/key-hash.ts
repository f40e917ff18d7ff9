/**
 * MurmurHash3 x86 32-bit (Austin Appleby, public domain description) of `bytes[start, start + length)`, seeded per
 * cluster so that nobody outside can aim keys at one partition. `view` covers the same memory as `bytes`.
 * Hot: about 7 ns for 16 bytes; words are read through the DataView.
 */
export function keyHash(bytes: Uint8Array, view: DataView, start: number, length: number, seed: number): number {
  let h = seed | 0;
  const wordsEnd = start + (length & ~3);
  let at = start;
  for (; at < wordsEnd; at += 4) {
    let k = Math.imul(view.getInt32(at, true), 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, 0x1b873593);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  const rest = length & 3;
  if (rest !== 0) {
    let k = 0;
    if (rest === 3) k ^= bytes[at + 2] << 16;
    if (rest >= 2) k ^= bytes[at + 1] << 8;
    k ^= bytes[at];
    k = Math.imul(k, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, 0x1b873593);
  }
  h ^= length;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}

/** Counters are a namespace of their own: "cntr". */
const COUNTER_SEED = 0x636e7472;

/** Hash of a counter's name: that of a key, with another seed, so that the two have nothing to do with each other. */
export function counterHash(bytes: Uint8Array, view: DataView, start: number, length: number, seed: number): number {
  return keyHash(bytes, view, start, length, seed ^ COUNTER_SEED);
}

/**
 * The partition of a key hash: its highest bits, so that a partition is one arc of the ring.
 * `partitions` is a power of two from 1 to 65,536.
 */
export function partitionOfHash(hash: number, partitions: number): number {
  // hash < 2^32, so the product stays below 2^48: exact.
  return Math.floor((hash * partitions) / 4294967296);
}
