import { FRAME_HEADER_BYTES, frameOpcode, keyHash, Opcode } from '@memdb/protocol';
import { LOOKAHEAD_FRAMES_MAX, LOOKAHEAD_FRAMES_MIN } from '../model/limits.js';

/** What looking ahead needs of the replication of this node. */
export interface Warmable {
  readonly hashSeed: number;
  /** Whether the store is large enough for its lookups to miss the processor's cache. */
  readonly worthWarming: boolean;
  /** See `Store.warm`. */
  warm(hashes: Float64Array, count: number, values: boolean): void;
}

/** consistency 1 + options 1, before the length of the key. */
const KEY_LENGTH_AT = 2;
const KEY_AT = 4;

/**
 * Reads the keys of pipelined requests before the first of them is worked on, and has the store bring all of them into
 * the processor's cache at once. A lookup costs two to four cache misses, one after the other; those of 64 requests
 * overlap. Nothing depends on it but speed: it decides nothing, and what it cannot make sense of it leaves alone.
 * Hot: `bench -- speed` watches it.
 */
export class Lookahead {
  readonly #replication: () => Warmable | undefined;
  readonly #hashes: Float64Array = new Float64Array(LOOKAHEAD_FRAMES_MAX);

  constructor(replication: () => Warmable | undefined) {
    this.#replication = replication;
  }

  /** Looks at the frames in `bytes[start, end)`; returns where the first one lies that it did not look at. */
  look(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    const replication = this.#replication();
    if (replication?.worthWarming !== true) return end;
    const hashes = this.#hashes;
    const { hashSeed } = replication;
    let values = false;
    let count = 0;
    let at = start;
    while (count < LOOKAHEAD_FRAMES_MAX && end - at >= FRAME_HEADER_BYTES + KEY_AT) {
      const next = at + view.getUint32(at, true) + 4;
      if (next > end || next < at + FRAME_HEADER_BYTES) break;
      const opcode = frameOpcode(view, at);
      // The four operations whose key stands at the same place; a batch warms nothing.
      if (opcode >= Opcode.get && opcode <= Opcode.contains) {
        const body = at + FRAME_HEADER_BYTES;
        const keyLength = view.getUint16(body + KEY_LENGTH_AT, true);
        if (body + KEY_AT + keyLength > next) break;
        if (opcode === Opcode.get) values = true;
        hashes[count++] = keyHash(bytes, view, body + KEY_AT, keyLength, hashSeed);
      }
      at = next;
    }
    if (count >= LOOKAHEAD_FRAMES_MIN) replication.warm(hashes, count, values);
    return at === start ? end : at;
  }
}
