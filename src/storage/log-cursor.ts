import {
  kindOf,
  lengthOf,
  paddedRecordBytes,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordCounter,
  recordKeyLength,
  recordKindLength,
  recordLsnLow,
  recordNode,
} from '../model/record.js';
import type { Segment } from './segment.js';
import { SEGMENT_HEADER_BYTES } from './segment-header.js';
import type { SegmentTable } from './segment-table.js';

/**
 * Walks the log in LSN order, up to what is appended at the moment; goes on when more was. Batch headers are passed over.
 *
 * ```ts
 * const cursor = store.logCursor(acknowledgedLsn);
 * while (cursor.next()) if (cursor.kind !== RecordKind.meta) send(cursor.segment, cursor.offset, cursor.bytes);
 * ```
 */
export class LogCursor {
  readonly #segments: SegmentTable;
  readonly #afterLsn: number;
  #nextOffset: number;
  /** Where the record lies, and its padded bytes. */
  segment: Segment;
  offset = 0;
  bytes = 0;
  lsn: number;
  kind = 0;

  constructor(segments: SegmentTable, afterLsn: number) {
    this.#segments = segments;
    this.#afterLsn = afterLsn;
    this.lsn = afterLsn;
    const { ordered } = segments;
    const first = ordered.find((segment) => segment.lastLsn > afterLsn);
    this.segment = first ?? ordered[ordered.length - 1];
    this.#nextOffset = first === undefined ? this.segment.tail : SEGMENT_HEADER_BYTES;
  }

  get counter(): number {
    return recordCounter(this.segment.view, this.offset);
  }
  get node(): number {
    return recordNode(this.segment.view, this.offset);
  }
  get keyStart(): number {
    return this.offset + RECORD_HEADER_BYTES;
  }
  get keyLength(): number {
    return recordKeyLength(this.segment.view, this.offset);
  }

  /** Moves to the next record; false at the end, for now. Hot. */
  next(): boolean {
    for (;;) {
      const { view, tail } = this.segment;
      let offset = this.#nextOffset;
      while (offset < tail) {
        const kindLength = recordKindLength(view, offset);
        const size = paddedRecordBytes(lengthOf(kindLength));
        const at = offset;
        offset += size;
        if (kindOf(kindLength) === RecordKind.batchHeader) continue;
        const lsn = this.segment.lsnOf(recordLsnLow(view, at));
        if (lsn <= this.#afterLsn) continue;
        this.#nextOffset = offset;
        this.offset = at;
        this.bytes = size;
        this.lsn = lsn;
        this.kind = kindOf(kindLength);
        return true;
      }
      this.#nextOffset = offset;
      if (!this.#moveOn()) return false;
    }
  }

  /** To the segment behind this one, if there is one. */
  #moveOn(): boolean {
    const { ordered } = this.#segments;
    const index = ordered.indexOf(this.segment);
    // Read to its end, a segment may be released: what comes behind it is found by LSN then.
    const next = index === -1 ? ordered.find((segment) => segment.lastLsn > this.lsn) : ordered[index + 1];
    if (next === undefined) return false;
    this.segment = next;
    this.#nextOffset = SEGMENT_HEADER_BYTES;
    return true;
  }
}
