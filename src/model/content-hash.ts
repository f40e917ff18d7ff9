const PRIME_1 = 0x9e3779b1;
const PRIME_2 = 0x85ebca77;
const PRIME_3 = 0xc2b2ae3d;
const PRIME_4 = 0x27d4eb2f;

/**
 * XXH32 (Yann Collet, xxHash specification 0.1.1) with seed 0 over `view[start, end)`, where `end - start` is a multiple
 * of 4. Returned as a signed 32-bit number. A change within one word always changes the result.
 * Hot: about 30 ns for 132 bytes; words are read through the DataView.
 */
export function contentHash(view: DataView, start: number, end: number): number {
  let at = start;
  let hash: number;
  if (end - start >= 16) {
    let a = (PRIME_1 + PRIME_2) | 0;
    let b = PRIME_2 | 0;
    let c = 0;
    let d = -PRIME_1 | 0;
    const stripesEnd = end - 16;
    do {
      a = (a + Math.imul(view.getInt32(at, true), PRIME_2)) | 0;
      b = (b + Math.imul(view.getInt32(at + 4, true), PRIME_2)) | 0;
      c = (c + Math.imul(view.getInt32(at + 8, true), PRIME_2)) | 0;
      d = (d + Math.imul(view.getInt32(at + 12, true), PRIME_2)) | 0;
      a = Math.imul((a << 13) | (a >>> 19), PRIME_1);
      b = Math.imul((b << 13) | (b >>> 19), PRIME_1);
      c = Math.imul((c << 13) | (c >>> 19), PRIME_1);
      d = Math.imul((d << 13) | (d >>> 19), PRIME_1);
      at += 16;
    } while (at <= stripesEnd);
    hash =
      (((a << 1) | (a >>> 31)) +
        ((b << 7) | (b >>> 25)) +
        ((c << 12) | (c >>> 20)) +
        ((d << 18) | (d >>> 14)) +
        (end - start)) |
      0;
  } else {
    // 0x165667b1 is the specification's fifth prime.
    hash = (0x165667b1 + (end - start)) | 0;
  }
  for (; at < end; at += 4) {
    hash = (hash + Math.imul(view.getInt32(at, true), PRIME_3)) | 0;
    hash = Math.imul((hash << 17) | (hash >>> 15), PRIME_4);
  }
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
  return hash ^ (hash >>> 16);
}
