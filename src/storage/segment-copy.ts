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
import { type Catalog, Fate } from './catalog.js';
import { CopyLookahead } from './copy-lookahead.js';
import { recordIsSound } from './record-check.js';
import { Segment } from './segment.js';
import { SEGMENT_HEADER_BYTES, writeSegmentHeader } from './segment-header.js';

/** What a copy needs beside its records. */
export const COPY_OVERHEAD_BYTES: number = SEGMENT_HEADER_BYTES + BATCH_HEADER_BYTES;

/**
 * Work of one slice: a record passed over counts 1 where all are looked at, one copied 3 and 1 more for each KiB. About 100 ns each on the
 * reference machine; the clock, looked at now and then, ends a slice early where that does not hold.
 */
export const SLICE_UNITS = 3000;
const CLOCK_UNITS = 250;
const UNITS_PER_RECORD = 3;
const UNIT_BYTES = 1024;
/** What is dead is passed by its bits. */
const SKIPPED_BYTES_PER_UNIT = 8192;
/** A long record is copied in pieces. */
const PIECE_BYTES: number = 256 * 1024;

/**
 * Copies what must be kept of segments that follow each other into a new one, a slice at a time. The index follows
 * record by record: what was copied is read from the copy, the rest where it was.
 *
 * Invariant: LSNs, stamps and contents stay; records stay in the order of their LSNs.
 */
export class SegmentCopy {
  readonly group: readonly Segment[];
  /** In the table of segments from the start; not in its order before the copy is complete. */
  readonly copy: Segment;
  readonly #catalog: Catalog;
  /** Whether purged versions may still hide older ones. */
  readonly #carries: () => boolean;
  readonly #lookahead: CopyLookahead;
  /** Looked ahead up to here. */
  #aheadTo = 0;
  #index = 0;
  #next: number = SEGMENT_HEADER_BYTES;
  /** Bytes of the record at `#next` that were copied already. */
  #piece = 0;
  /** The segment at `#index` is walked record by record: damage hides one that is in force. */
  #verifies = false;

  /** `memory`: at least `copyBytesMax(group)`. */
  constructor(catalog: Catalog, group: readonly Segment[], id: number, memory: ArrayBuffer, carries: () => boolean) {
    this.#catalog = catalog;
    this.group = group;
    this.#carries = carries;
    this.#lookahead = new CopyLookahead(catalog);
    const { firstLsn } = group[0];
    this.copy = new Segment(id, id, memory, firstLsn);
    this.copy.touchedBytes = memory.byteLength;
    catalog.segments.reserve(this.copy);
    reserveBatchHeader(this.copy.view, SEGMENT_HEADER_BYTES, firstLsn);
    completeBatchHeader(this.copy.view, SEGMENT_HEADER_BYTES, this.copy.generation, 0, 0);
    this.copy.tail += BATCH_HEADER_BYTES;
    this.copy.headerBytes = BATCH_HEADER_BYTES;
  }

  /** Whether anything was kept. */
  get isEmpty(): boolean {
    return this.copy.tail === COPY_OVERHEAD_BYTES;
  }

  /**
   * One slice of about so many units of work, ended early by `isOver`; true when everything is copied. The header is
   * missing until `seal`.
   */
  step(unitsMax: number, isOver: () => boolean): boolean {
    const { group } = this;
    const carries = this.#carries();
    let units = 0;
    let clockAt = CLOCK_UNITS;
    while (this.#index < group.length) {
      const segment = group[this.#index];
      while (this.#next < segment.tail) {
        if (units >= unitsMax) return false;
        if (units >= clockAt) {
          if (isOver()) return false;
          clockAt = units + CLOCK_UNITS;
        }
        const walks = carries || this.#verifies || this.#piece > 0;
        units += walks ? this.#pass(segment, carries) : this.#hop(segment);
      }
      this.#verifies = false;
      this.#index++;
      this.#next = SEGMENT_HEADER_BYTES;
      this.#aheadTo = 0;
    }
    return true;
  }

  /** The copy is complete: gives it its header. */
  seal(): void {
    const { copy } = this;
    writeSegmentHeader(copy.view, {
      id: copy.id,
      generation: copy.generation,
      firstLsn: copy.firstLsn,
      capacity: copy.tail,
      previousId: 0,
      previousEnd: 0,
      keysHint: 0,
    });
    copy.sealed = true;
    copy.fileBytes = copy.tail;
  }

  /** Goes past one record, or one piece of it; returns the work that it took. */
  #pass(segment: Segment, carries: boolean): number {
    const offset = this.#next;
    if (this.#piece === 0 && !recordIsSound(segment, offset)) return this.#repair(segment, offset);
    const kindLength = recordKindLength(segment.view, offset);
    const fate = kindOf(kindLength) === RecordKind.batchHeader ? Fate.drop : this.#catalog.fate(segment, offset);
    if (fate === Fate.drop || (fate === Fate.carry && !carries)) {
      this.#next += paddedRecordBytes(lengthOf(kindLength));
      this.#piece = 0;
      return 1;
    }
    return this.#move(segment, offset, fate);
  }

  /** Goes on to the next record in force and copies it, or a piece of it; returns the work that it took. */
  #hop(segment: Segment): number {
    if (this.#next >= this.#aheadTo) this.#aheadTo = this.#lookahead.look(segment, this.#next);
    const unit = segment.nextLive(this.#next);
    const units = 1 + (unit - this.#next) / SKIPPED_BYTES_PER_UNIT;
    if (unit === segment.tail) {
      this.#next = unit;
      return units;
    }
    const offset = this.#catalog.liveAt(segment, unit);
    if (offset === 0) {
      this.#verifies = true;
      this.#next = SEGMENT_HEADER_BYTES;
      return units;
    }
    if (!recordIsSound(segment, offset)) return this.#repair(segment, offset);
    this.#next = offset;
    return units + this.#move(segment, offset, Fate.move);
  }

  #move(segment: Segment, offset: number, fate: number): number {
    const { copy } = this;
    const size = paddedRecordBytes(lengthOf(recordKindLength(segment.view, offset)));
    const bytes = Math.min(PIECE_BYTES, size - this.#piece);
    const from = offset + this.#piece;
    copyBytes(copy.bytes, copy.view, copy.tail + this.#piece, segment.bytes, segment.view, from, bytes);
    this.#piece += bytes;
    if (this.#piece === size) this.#settle(segment, offset, size, fate);
    return UNITS_PER_RECORD + bytes / UNIT_BYTES;
  }

  /** A damaged record: repaired or emptied, it is passed in the next step. */
  #repair(segment: Segment, offset: number): number {
    this.#catalog.repair(segment, offset);
    return UNITS_PER_RECORD;
  }

  /** The record lies in the copy as a whole. */
  #settle(segment: Segment, offset: number, size: number, fate: number): void {
    const { copy } = this;
    const to = copy.tail;
    const lsnLow = recordLsnLow(segment.view, offset);
    const content = recordChecksum(segment.view, offset) - recordSalt(segment.generation, offset, lsnLow);
    copy.view.setInt32(to + 4, (content + recordSalt(copy.generation, to, lsnLow)) | 0, true);
    copy.tail += size;
    copy.lastLsn = segment.lsnOf(lsnLow);
    if (fate === Fate.move) this.#catalog.relocate(segment, offset, copy, to);
    else this.#catalog.noteHiding(copy, to);
    this.#next += size;
    this.#piece = 0;
  }
}

/** Whether something of it may have to be carried on although the index does not point to it. */
export function mayHide(segment: Segment): boolean {
  return segment.tombstoneBytes + segment.expiringBytes > 0;
}

/** Bytes that a copy of these segments takes, at most. */
export function copyBytesMax(group: readonly Segment[]): number {
  return group.reduce((sum, segment) => sum + keptBytes(segment), COPY_OVERHEAD_BYTES);
}

/** Bytes of a segment that a copy takes over, at most. */
export function keptBytes(segment: Segment): number {
  return segment.liveBytes + segment.tombstoneBytes + segment.expiringBytes;
}

/** Bytes of values, and of meta records, that the index does not point to. */
export function deadBytes(segment: Segment): number {
  const { tail, headerBytes, liveBytes, tombstoneBytes } = segment;
  return Math.max(0, tail - SEGMENT_HEADER_BYTES - headerBytes - liveBytes - tombstoneBytes);
}
