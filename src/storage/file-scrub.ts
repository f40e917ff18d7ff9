import { SCRUB_FILE_PIECE_BYTES } from '../model/limits.js';
import { lengthOf, paddedRecordBytes, recordKindLength } from '../model/record.js';
import { COMPRESSED_START, type CompressedPlace, type Disk, type DiskError } from '../ports/disk.js';
import { CompressedRepair } from './compressed-repair.js';
import { recordAt } from './damaged-region.js';
import { isSoundRun, soundEnd } from './record-check.js';
import type { Segment } from './segment.js';
import { SEGMENT_HEADER_BYTES, segmentFile, segmentPath } from './segment-header.js';
import type { SegmentTable } from './segment-table.js';

export interface FileScrubOptions {
  readonly disk: Disk;
  readonly segments: SegmentTable;
  /** Bytes of a file were compared with memory. */
  readonly onCompared: (bytes: number) => void;
  /** A file differs from sound memory; it was written again from there, durably. */
  readonly onRepaired: (file: string, offset: number, bytes: number) => void;
  readonly onDamaged: (file: string, offset: number, why: string) => void;
  readonly onFatal: (error: Error) => void;
}

/**
 * Reads the files of segments piece by piece, off the event loop, and compares them with memory. What differs is written
 * again from memory when the records there verify and those of the file do not; a compressed file is made again as a
 * whole.
 */
export class FileScrub {
  readonly #options: FileScrubOptions;
  #segment: Segment | undefined;
  #position = 0;
  /** The same place in a compressed file. */
  #place: CompressedPlace = COMPRESSED_START;
  #busy = false;
  #repair: CompressedRepair | undefined;
  #allowed = 0;

  constructor(options: FileScrubOptions) {
    this.#options = options;
  }

  /** So many bytes more may be read: does so once that is a piece worth opening the file for. */
  step(bytes: number): void {
    this.#allowed = Math.min(this.#allowed + bytes, 2 * SCRUB_FILE_PIECE_BYTES);
    if (this.#busy) return;
    if (this.#repair !== undefined) {
      this.#goOn(this.#repair, bytes);
      return;
    }
    const segment = this.#current();
    if (segment === undefined) return;
    const length = Math.min(SCRUB_FILE_PIECE_BYTES, segment.durableOffset - this.#position);
    if (this.#allowed < length) return;
    this.#allowed -= length;
    this.#busy = true;
    if (segment.compressed) this.#readCompressed(segment, length);
    else this.#read(segment, length);
  }

  #read(segment: Segment, length: number): void {
    const position = this.#position;
    const path = segmentPath(segment.id);
    this.#options.disk.readLater(path, position, length, (error, piece) => {
      this.#busy = false;
      // Compaction let it go meanwhile, or another file took its place.
      if (!this.#counts(segment) || segment.compressed) return;
      if (error !== undefined) {
        this.#options.onDamaged(path, position, error.message);
        this.#skip(segment);
        return;
      }
      this.#position += length;
      this.#options.onCompared(piece.length);
      this.#compare(segment, position, length, piece);
    });
  }

  #readCompressed(segment: Segment, length: number): void {
    const position = this.#position;
    const path = segmentFile(segment);
    const place = this.#place;
    this.#options.disk.readCompressedLater(path, place, length, (error, piece, next) => {
      this.#busy = false;
      if (!this.#counts(segment)) return;
      if (error !== undefined) {
        this.#onUnreadable(segment, error);
        return;
      }
      this.#position += piece.length;
      this.#place = next;
      this.#options.onCompared(piece.length);
      // It must not end before memory does.
      const difference = differenceOf(segment, position, piece, Math.max(1, piece.length));
      // Damaged memory is the business of the other walk; it comes back to the file in the next round.
      if (difference === undefined || !difference.isSound) return;
      this.#options.onDamaged(path, place.file, 'it holds something else than memory');
      this.#makeAgain(segment);
    });
  }

  #onUnreadable(segment: Segment, error: DiskError): void {
    const { kind, message, offset } = error;
    this.#options.onDamaged(segmentFile(segment), offset, kind === 'damaged' ? 'a checksum does not match' : message);
    if (kind === 'no-codec') this.#skip(segment);
    else this.#makeAgain(segment);
  }

  /** To the next segment: once a round is enough to say so. */
  #skip(segment: Segment): void {
    this.#position = segment.durableOffset;
  }

  #current(): Segment | undefined {
    const { ordered } = this.#options.segments;
    const known = this.#segment;
    if (known !== undefined && this.#counts(known) && this.#position < known.durableOffset) {
      // It was compressed meanwhile.
      if (known.compressed && this.#place.content !== this.#position) this.#begin(known);
      return known;
    }
    // The one behind it in the log; the first again after the last.
    const after = known === undefined ? undefined : ordered.find(({ firstLsn }) => firstLsn > known.firstLsn);
    const next = after ?? ordered[0];
    this.#begin(next);
    // A copy that is on its way to the disk has no file yet.
    return next !== undefined && next.durableOffset > 0 ? next : undefined;
  }

  #begin(segment: Segment | undefined): void {
    this.#segment = segment;
    this.#position = 0;
    this.#place = COMPRESSED_START;
  }

  /** Whether the segment is part of the log, so that memory and file hold the same. */
  #counts(segment: Segment): boolean {
    return this.#options.segments.ordered.includes(segment);
  }

  #compare(segment: Segment, position: number, length: number, piece: Uint8Array): void {
    const difference = differenceOf(segment, position, piece, length);
    // Damaged memory is the business of the other walk; it comes back to the file in the next round.
    if (difference === undefined || !difference.isSound) return;
    const { first, from, to } = difference;
    const path = segmentPath(segment.id);
    this.#options.disk.readLater(path, from, to - from, (error, bytes) => {
      if (!this.#counts(segment) || segment.compressed) return;
      const whole = error === undefined && bytes.length === to - from && from >= SEGMENT_HEADER_BYTES;
      if (whole && isSoundRun(bytes, segment.generation, from)) return;
      this.#options.onDamaged(path, first, error?.message ?? 'a record does not verify');
      if (soundEnd(segment, from, to) === to) this.#rewrite(segment, from, to);
    });
  }

  #rewrite(segment: Segment, from: number, to: number): void {
    const path = segmentPath(segment.id);
    const file = this.#options.disk.open(path);
    file.write(segment.bytes, from, to - from, from);
    file.sync((error) => {
      file.close();
      if (error !== undefined) this.#options.onFatal(error);
      else this.#options.onRepaired(path, from, to - from);
    });
  }

  /** Begins to make a compressed file again: memory is verified first, as much with each step as is read otherwise. */
  #makeAgain(segment: Segment): void {
    this.#skip(segment);
    // Its file goes soon.
    if (!segment.leaving) this.#repair = new CompressedRepair(this.#options.disk, segment);
  }

  #goOn(repair: CompressedRepair, bytes: number): void {
    const state = repair.verify(bytes);
    if (state === 'more') return;
    if (state === 'damaged') {
      this.#repair = undefined;
      repair.release();
      return;
    }
    this.#busy = true;
    repair.write((error) => {
      this.#busy = false;
      this.#repair = undefined;
      repair.release();
      const { segment } = repair;
      if (error === undefined) this.#options.onRepaired(segmentFile(segment), 0, segment.tail);
      // On a full disk it is tried again in the next round.
      else if (error.kind !== 'full') this.#options.onFatal(error);
    });
  }
}

/** Where a piece of a file is not as memory, and the records there. */
interface Difference {
  readonly first: number;
  readonly from: number;
  readonly to: number;
  /** Whether they verify in memory. */
  readonly isSound: boolean;
}

/** Undefined where file and memory hold the same. A piece that is shorter than `length` differs behind its end. */
function differenceOf(segment: Segment, position: number, piece: Uint8Array, length: number): Difference | undefined {
  const expected = segment.bytes.subarray(position, Math.min(position + length, segment.tail));
  if (piece.length === expected.length && Buffer.compare(piece, expected) === 0) return undefined;
  let first = 0;
  while (first < expected.length - 1 && piece[first] === expected[first]) first++;
  let last = expected.length - 1;
  while (last > first && piece[last] === expected[last]) last--;
  const from = recordStart(segment, position + first);
  const to = recordEnd(segment, position + last);
  return { first: position + first, from, to, isSound: soundEnd(segment, from, to) === to };
}

/** Where the record, or the header, begins that covers `offset`. */
function recordStart(segment: Segment, offset: number): number {
  return offset < SEGMENT_HEADER_BYTES ? 0 : recordAt(segment, offset).start;
}

function recordEnd(segment: Segment, offset: number): number {
  if (offset < SEGMENT_HEADER_BYTES) return SEGMENT_HEADER_BYTES;
  const start = recordStart(segment, offset);
  return start + sizeAt(segment.view, start);
}

function sizeAt(view: DataView, offset: number): number {
  return paddedRecordBytes(lengthOf(recordKindLength(view, offset)));
}
