import {
  BATCH_HEADER_BYTES,
  BATCH_HEADER_WORD,
  isBatchHeader,
  provenOffsetOf,
  provenSegmentOf,
} from './batch-header.js';
import { isBehind } from './chain-reader.js';
import type { Segment } from './segment.js';

/** Where the third word of a record header lies: kind and length. */
const WORD_AT = 8;

/**
 * Looks through bytes that no chain of records leads to: a valid batch header among them speaks of what was durable
 * before it, and so tells damage from a torn tail.
 */
export class ProofScan {
  /** The furthest point that any header found so far proves; segment 0 when there was none. */
  segment = 0;
  offset = 0;
  /** Whether any byte looked at was not zero. */
  sawBytes = false;

  /** `start` is a multiple of 4. */
  scan(view: DataView, start: number, end: number, generation: number): void {
    const words = new Int32Array(view.buffer, view.byteOffset, Math.floor(view.byteLength / 4));
    const last = Math.floor(end / 4);
    for (let word = start / 4; word < last; word++) {
      const value = words[word];
      if (value === 0) continue;
      this.sawBytes = true;
      if (value === BATCH_HEADER_WORD) this.#note(view, word * 4 - WORD_AT, start, end, generation);
    }
  }

  #note(view: DataView, offset: number, start: number, end: number, generation: number): void {
    if (offset < start || offset + BATCH_HEADER_BYTES > end || !isBatchHeader(view, offset, generation)) return;
    const segment = provenSegmentOf(view, offset);
    const proven = provenOffsetOf(view, offset);
    if (!isBehind(segment, proven, this.segment, this.offset)) return;
    this.segment = segment;
    this.offset = proven;
  }
}

/** The chain ends with zeros or with the segment, not with something that fails to verify. */
export function endsCleanly(segment: Segment): boolean {
  const { view, tail, capacity } = segment;
  for (let at = tail; at < Math.min(tail + 12, capacity); at += 4) if (view.getInt32(at, true) !== 0) return false;
  return true;
}
