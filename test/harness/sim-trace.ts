/**
 * A running hash of everything that happens, in order. Two runs of one seed that print the same hash did the same,
 * and where they do not, something read a real clock or depended on memory addresses.
 */
export class SimTrace {
  #low = 0x12345678;
  #high = 0x9abcdef0 | 0;
  readonly #float: Float64Array<ArrayBuffer> = new Float64Array(1);
  readonly #words: Uint32Array<ArrayBuffer> = new Uint32Array(this.#float.buffer);

  word(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x85ebca6b);
    this.#low = (this.#low << 13) | (this.#low >>> 19);
    this.#high = Math.imul(this.#high + this.#low, 0xc2b2ae35) ^ value;
    this.#high = (this.#high << 17) | (this.#high >>> 15);
  }

  /** Any number, fractions included. */
  number(value: number): void {
    this.#float[0] = value;
    this.word(this.#words[0]);
    this.word(this.#words[1]);
  }

  bytes(bytes: Uint8Array, start: number, end: number): void {
    this.word(hashBytes(bytes, start, end));
  }

  text(text: string): void {
    let hash = text.length;
    for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    this.word(hash);
  }

  digest(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0');
  }
}

/** A 32-bit hash of `bytes[start, end)`; also tells whether somebody wrote into a buffer that is not theirs. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  let at = start;
  for (const last = end - 3; at < last; at += 4) {
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    hash = Math.imul((hash << 13) | (hash >>> 19), 0x9e3779b1) ^ Math.imul(word, 0x85ebca77);
  }
  for (; at < end; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193);
  return hash ^ (hash >>> 15);
}
