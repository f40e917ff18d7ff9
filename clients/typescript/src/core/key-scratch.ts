import { KEY_BYTES_HARD_MAX, keyHash } from '@memdb/protocol';
import type { Key } from '../options.js';

/** Each character of a string takes at most three bytes. */
const SCRATCH_BYTES: number = KEY_BYTES_HARD_MAX * 3;

/** Up to here a loop over characters beats `TextEncoder.encodeInto`, by 20 ns for 16 of them. */
const SHORT_LENGTH = 24;

/**
 * The bytes of the key at hand: hashed for routing, then copied into a request. One for all operations, so that a
 * key costs no allocation. Hot: `bench -- client` watches it.
 */
export class KeyScratch {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #encoder = new TextEncoder();
  /** Bytes of the key at hand. */
  length = 0;

  constructor() {
    const memory = new ArrayBuffer(SCRATCH_BYTES);
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
  }

  /** Takes `key` in hand; returns its length, above `KEY_BYTES_HARD_MAX` when it is too long (then it is not held). */
  load(key: Key): number {
    if (key.length > KEY_BYTES_HARD_MAX) this.length = key.length;
    else if (typeof key === 'string') {
      this.length =
        key.length <= SHORT_LENGTH ? this.#loadShort(key) : this.#encoder.encodeInto(key, this.bytes).written;
    } else {
      this.bytes.set(key);
      this.length = key.length;
    }
    return this.length;
  }

  #loadShort(key: string): number {
    const { bytes } = this;
    const { length } = key;
    for (let at = 0; at < length; at++) {
      const code = key.charCodeAt(at);
      if (code > 127) return this.#encoder.encodeInto(key, bytes).written;
      bytes[at] = code;
    }
    return length;
  }

  /** The hash of the key at hand, by which it is placed. */
  hash(seed: number): number {
    return keyHash(this.bytes, this.view, 0, this.length, seed);
  }
}

/** Whether any cluster takes a key of this length. */
export function isSoundKeyLength(length: number): boolean {
  return length > 0 && length <= KEY_BYTES_HARD_MAX;
}
