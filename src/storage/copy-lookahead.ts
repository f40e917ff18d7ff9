import { recordHash } from '../model/counter-entry.js';
import { kindOf, RECORD_HEADER_BYTES, recordKeyLength, recordKindLength } from '../model/record.js';
import type { Catalog } from './catalog.js';
import { headerIsPlausible } from './record-check.js';
import type { Segment } from './segment.js';

/** Records whose cache misses overlap: what the processor can have under way at once, a few times over. */
const AHEAD_MAX = 32;
const CACHE_LINE_BYTES = 64;

/**
 * Brings the records in force that compaction copies next, and their places in the index, into the processor's cache, all
 * of them at once: one after the other each would be waited for. Only a hint; changes nothing. Hot:
 * `test/micro/compaction.ts` watches it.
 */
export class CopyLookahead {
  readonly #catalog: Catalog;
  readonly #units: Int32Array = new Int32Array(AHEAD_MAX);
  readonly #hashes: Float64Array = new Float64Array(AHEAD_MAX);
  /** Depends on all that was read, so that no compiler leaves the reading out; it means nothing. */
  #warmed = 0;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Looks ahead from `from`; returns up to where. */
  look(segment: Segment, from: number): number {
    const units = this.#units;
    const { view, tail } = segment;
    let count = 0;
    let end = from;
    let sum = 0;
    while (count < AHEAD_MAX) {
      const unit = segment.nextLive(end);
      if (unit >= tail) {
        end = tail;
        break;
      }
      units[count++] = unit;
      end = unit + 16;
      sum ^= view.getInt32(unit, true);
      sum ^= view.getInt32(Math.min(unit + CACHE_LINE_BYTES, tail - 4), true);
      sum ^= view.getInt32(Math.min(unit + 2 * CACHE_LINE_BYTES, tail - 4), true);
    }
    this.#warmed ^= sum;
    this.#warmIndex(segment, count);
    return end;
  }

  #warmIndex(segment: Segment, count: number): void {
    const { index, hashSeed } = this.#catalog;
    const { bytes, view } = segment;
    let hashed = 0;
    for (let at = 0; at < count; at++) {
      let offset = this.#units[at];
      const end = offset + 16;
      while (offset < end && !headerIsPlausible(segment, offset)) offset += 4;
      if (offset === end) continue;
      const keyLength = recordKeyLength(view, offset);
      const kind = kindOf(recordKindLength(view, offset));
      this.#hashes[hashed++] = recordHash(kind, bytes, view, offset + RECORD_HEADER_BYTES, keyLength, hashSeed);
    }
    index.warm(this.#hashes, hashed, false);
  }
}
