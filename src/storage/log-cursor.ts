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
import { BATCH_HEADER_BYTES, BATCH_HEADER_WORD } from './batch-header.js';
import { damagedRegion } from './damaged-region.js';
import { recordIsSound } from './record-check.js';
import type { Segment } from './segment.js';
import { SEGMENT_HEADER_BYTES } from './segment-header.js';
import type { SegmentTable } from './segment-table.js';

/**
 * Walks the log in LSN order, up to what is appended at the moment; goes on when more was. Batch headers are passed over.
 * Where compaction was at work, records that something newer replaced are missing; all others come, each once. Between
 * two calls of `next` anything may happen to the log: what the cursor says holds until the end of the turn.
 *
 * ```ts
 * const cursor = store.logCursor(acknowledgedLsn);
 * while (cursor.next()) if (cursor.kind !== RecordKind.meta) send(cursor.segment, cursor.offset, cursor.bytes);
 * ```
 */
export class LogCursor {
  readonly #segments: SegmentTable;
  #nextOffset: number;
  /** Where the record lies, and its padded bytes. */
  segment: Segment;
  offset = 0;
  bytes = 0;
  lsn: number;
  kind = 0;

  constructor(segments: SegmentTable, afterLsn: number) {
    this.#segments = segments;
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
    if (this.segment.retired && !this.#moveOn()) return false;
    for (;;) {
      const { view, tail } = this.segment;
      let offset = this.#nextOffset;
      while (offset < tail) {
        const kindLength = recordKindLength(view, offset);
        const size = paddedRecordBytes(lengthOf(kindLength));
        const at = offset;
        // The header of the batch that is being filled has no checksum yet.
        if (kindLength === BATCH_HEADER_WORD) {
          offset += BATCH_HEADER_BYTES;
          continue;
        }
        if (!recordIsSound(this.segment, at)) {
          // Damaged in memory: never shown. The audit brings it to whoever misses it.
          offset = damagedRegion(this.segment, at).end;
          continue;
        }
        offset += size;
        if (kindOf(kindLength) === RecordKind.batchHeader) continue;
        const lsn = this.segment.lsnOf(recordLsnLow(view, at));
        if (lsn <= this.lsn) continue;
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

  /** The record that `next` has just moved to comes again. */
  stepBack(): void {
    this.#nextOffset = this.offset;
    this.lsn--;
  }

  /** To the segment with the next record, if there is one. A segment that was left behind is found again by LSN. */
  #moveOn(): boolean {
    const { ordered } = this.#segments;
    const next = this.segment.retired
      ? ordered.find((segment) => segment.lastLsn > this.lsn)
      : ordered[ordered.indexOf(this.segment) + 1];
    if (next === undefined) return false;
    this.segment = next;
    this.#nextOffset = SEGMENT_HEADER_BYTES;
    return true;
  }
}
