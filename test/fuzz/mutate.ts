import type { SimRandom } from '../harness/sim-random.js';

/** Values at the edges of what fields hold. */
const EDGES: readonly number[] = [
  0, 1, 2, 3, 4, 7, 8, 23, 24, 27, 28, 63, 64, 127, 128, 255, 256, 4095, 4096, 65_535, 65_536, 0x00ffffff, 0x0fffffff,
  0x10000028, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];
/** Longest input: some things happen only with many bytes, most with few. */
const INPUT_BYTES_MAX: number = 64 * 1024;

/** A copy of `input` with a few changes; parts of `other` may come in. */
export function mutated(random: SimRandom, input: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes: Uint8Array = input.slice();
  for (let changes = 1 + random.below(4); changes > 0; changes--) bytes = changed(random, bytes, other);
  return bytes.subarray(0, INPUT_BYTES_MAX);
}

function changed(random: SimRandom, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (random.below(8)) {
    case 0:
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = random.pick(EDGES);
      return bytes;
    case 2:
      if (at + 2 <= bytes.length) view.setUint16(at, random.pick(EDGES) & 0xffff, true);
      return bytes;
    case 3:
    case 4:
      if (at + 4 <= bytes.length) view.setUint32(at, random.pick(EDGES), true);
      return bytes;
    case 5:
      return joined(bytes.subarray(0, at), bytes.subarray(at + random.below(40)));
    case 6: {
      const from = random.below(other.length + 1);
      return joined(bytes.subarray(0, at), other.subarray(from, from + random.below(80)), bytes.subarray(at));
    }
    default:
      return joined(bytes.subarray(0, at), new Uint8Array(random.below(9)).fill(random.below(256)), bytes.subarray(at));
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
