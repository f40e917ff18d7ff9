import { lengthOf, paddedRecordBytes, recordKindLength } from '../model/record.js';
import { settledEnd } from './damaged-region.js';
import { isSoundAt } from './record-check.js';
import type { Segment } from './segment.js';
import { SEGMENT_HEADER_BYTES } from './segment-header.js';
import type { SegmentTable } from './segment-table.js';

/** Walks over all records in memory, round and round, and verifies each. */
export class MemoryScrub {
  readonly #segments: SegmentTable;
  #segment: Segment | undefined;
  #offset = 0;

  constructor(segments: SegmentTable) {
    this.#segments = segments;
  }

  /**
   * Verifies records until `budget` bytes are used up, one record more at most. Returns the bytes verified. `repair` is
   * called where a record does not verify, and returns the offset at which to go on. `test/micro/scrub.ts` watches it.
   */
  slice(budget: number, repair: (segment: Segment, offset: number) => number): number {
    let used = 0;
    while (used < budget) {
      const segment = this.#current();
      if (segment === undefined) return used;
      const { view, generation } = segment;
      const end = settledEnd(segment);
      while (this.#offset < end && used < budget) {
        const at = this.#offset;
        this.#offset = isSoundAt(view, at, end, generation, at)
          ? at + paddedRecordBytes(lengthOf(recordKindLength(view, at)))
          : repair(segment, at);
        used += this.#offset - at;
      }
      if (this.#offset >= end && this.#moveOn(segment)) return used;
    }
    return used;
  }

  /** The segment to go on in; compaction may have taken the last one away. */
  #current(): Segment | undefined {
    const known = this.#segment;
    if (known !== undefined && !known.retired) return known;
    const { ordered } = this.#segments;
    const next = ordered.find(({ lastLsn }) => lastLsn >= (known?.firstLsn ?? 0)) ?? ordered[0];
    this.#begin(next);
    return next;
  }

  #begin(segment: Segment): void {
    this.#segment = segment;
    this.#offset = SEGMENT_HEADER_BYTES;
  }

  /** To the next segment; true when all were gone through, and the walk begins again. */
  #moveOn(segment: Segment): boolean {
    const { ordered } = this.#segments;
    const next = ordered[ordered.indexOf(segment) + 1];
    this.#begin(next ?? ordered[0]);
    return next === undefined;
  }
}
