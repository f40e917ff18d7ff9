import { copyBytes } from '@memdb/protocol';
import {
  kindOf,
  lengthOf,
  paddedRecordBytes,
  RecordKind,
  recordChecksum,
  recordKindLength,
  recordLsnLow,
  recordSalt,
} from '../model/record.js';
import { BATCH_HEADER_BYTES, completeBatchHeader, reserveBatchHeader } from './batch-header.js';
import type { Catalog } from './catalog.js';
import { Segment } from './segment.js';
import { SEGMENT_HEADER_BYTES, writeSegmentHeader } from './segment-header.js';

/** Records in log order, batch headers passed over, from a point of one segment to the end of the last. */
class RecordSource {
  readonly #segments: readonly Segment[];
  #index = 0;
  #next: number;
  offset = 0;
  size = 0;

  constructor(segments: readonly Segment[], from: number) {
    this.#segments = segments;
    this.#next = from;
  }

  get segment(): Segment {
    return this.#segments[this.#index];
  }

  /** Where `next` will go on, so that a second source can start there. */
  next(): boolean {
    while (this.#index < this.#segments.length) {
      const { view, tail } = this.segment;
      while (this.#next < tail) {
        const kindLength = recordKindLength(view, this.#next);
        this.offset = this.#next;
        this.size = paddedRecordBytes(lengthOf(kindLength));
        this.#next += this.size;
        if (kindOf(kindLength) !== RecordKind.batchHeader) return true;
      }
      if (this.#index + 1 === this.#segments.length) return false;
      this.#index++;
      this.#next = SEGMENT_HEADER_BYTES;
    }
    return false;
  }
}

/** Whether any record but batch headers lies behind a point. */
export function hasRecordsBehind(segments: readonly Segment[], from: number): boolean {
  return new RecordSource(segments, from).next();
}

/**
 * Copies the records behind a point into new segments of at most `segmentBytes`, each just as long as it must be, and
 * lets the catalog point there. LSNs, stamps and contents stay; checksums get the salt of the new place.
 * The new segments are in the catalog's table, behind all others; nothing is on disk yet.
 */
export function copyRecords(
  catalog: Catalog,
  segments: readonly Segment[],
  from: number,
  segmentBytes: number,
  takeId: () => number,
): Segment[] {
  const copies: Segment[] = [];
  const overhead = SEGMENT_HEADER_BYTES + BATCH_HEADER_BYTES;
  const sizes = new RecordSource(segments, from);
  const records = new RecordSource(segments, from);
  let more = sizes.next();
  while (more) {
    let bytes = overhead;
    let count = 0;
    while (more && bytes + sizes.size <= segmentBytes) {
      bytes += sizes.size;
      count++;
      more = sizes.next();
    }
    if (count === 0) throw new Error(`a record of ${sizes.size} bytes does not fit into a segment of ${segmentBytes}`);
    copies.push(copyInto(catalog, records, count, bytes, takeId()));
  }
  return copies;
}

function copyInto(catalog: Catalog, records: RecordSource, count: number, bytes: number, id: number): Segment {
  records.next();
  const firstLsn = records.segment.lsnOf(recordLsnLow(records.segment.view, records.offset));
  const copy = new Segment(id, id, new ArrayBuffer(bytes), firstLsn);
  catalog.segments.add(copy);
  writeSegmentHeader(copy.view, {
    id,
    generation: copy.generation,
    firstLsn,
    capacity: bytes,
    previousId: 0,
    previousEnd: 0,
    keysHint: 0,
  });
  reserveBatchHeader(copy.view, SEGMENT_HEADER_BYTES, firstLsn);
  completeBatchHeader(copy.view, SEGMENT_HEADER_BYTES, copy.generation, 0, 0);
  copy.tail += BATCH_HEADER_BYTES;
  copy.headerBytes = BATCH_HEADER_BYTES;
  for (let record = 0; record < count; record++) {
    if (record > 0) records.next();
    appendCopy(catalog, records, copy);
  }
  copy.sealed = true;
  copy.writtenOffset = copy.tail;
  copy.durableOffset = copy.tail;
  return copy;
}

function appendCopy(catalog: Catalog, records: RecordSource, copy: Segment): void {
  const { segment, offset, size } = records;
  const to = copy.tail;
  copyBytes(copy.bytes, copy.view, to, segment.bytes, segment.view, offset, size);
  const lsnLow = recordLsnLow(segment.view, offset);
  const content = recordChecksum(segment.view, offset) - recordSalt(segment.generation, offset, lsnLow);
  copy.view.setInt32(to + 4, (content + recordSalt(copy.generation, to, lsnLow)) | 0, true);
  copy.tail += size;
  copy.lastLsn = segment.lsnOf(lsnLow);
  const moved = catalog.relocate(segment, offset, copy, to);
  if (!moved) catalog.noteHiding(copy, to);
  if (segment.late) copy.late = true;
}
