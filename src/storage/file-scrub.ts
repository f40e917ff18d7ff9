import { SCRUB_FILE_PIECE_BYTES } from '../model/limits.js';
import { lengthOf, paddedRecordBytes, recordKindLength } from '../model/record.js';
import type { Disk } from '../ports/disk.js';
import { recordAt } from './damaged-region.js';
import { isSoundAt, isSoundRun } from './record-check.js';
import type { Segment } from './segment.js';
import { readSegmentHeader, SEGMENT_HEADER_BYTES, segmentPath } from './segment-header.js';
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
 * again from memory when the records there verify and those of the file do not.
 */
export class FileScrub {
  readonly #options: FileScrubOptions;
  #segment: Segment | undefined;
  #position = 0;
  #busy = false;
  #allowed = 0;

  constructor(options: FileScrubOptions) {
    this.#options = options;
  }

  /** So many bytes more may be read: does so once that is a piece worth opening the file for. */
  step(bytes: number): void {
    this.#allowed = Math.min(this.#allowed + bytes, 2 * SCRUB_FILE_PIECE_BYTES);
    if (this.#busy) return;
    const segment = this.#current();
    if (segment === undefined) return;
    const position = this.#position;
    const length = Math.min(SCRUB_FILE_PIECE_BYTES, segment.durableOffset - position);
    if (this.#allowed < length) return;
    this.#allowed -= length;
    this.#position += length;
    this.#busy = true;
    this.#options.disk.readLater(segmentPath(segment.id), position, length, (error, piece) => {
      this.#busy = false;
      // Compaction let it go meanwhile: file and memory may hold something else by now.
      if (!this.#isReadable(segment)) return;
      if (error !== undefined) {
        // Once a round is enough to say so.
        this.#position = segment.durableOffset;
        this.#options.onDamaged(segmentPath(segment.id), position, error.message);
        return;
      }
      this.#options.onCompared(piece.length);
      this.#compare(segment, position, length, piece);
    });
  }

  #current(): Segment | undefined {
    const { ordered } = this.#options.segments;
    const known = this.#segment;
    if (known !== undefined && this.#isReadable(known) && this.#position < known.durableOffset) return known;
    // The one behind it in the log; the first again after the last.
    const after = known === undefined ? undefined : ordered.find(({ firstLsn }) => firstLsn > known.firstLsn);
    const next = after ?? ordered[0];
    this.#segment = next;
    this.#position = 0;
    // A copy that is on its way to the disk has no file yet.
    return next !== undefined && this.#isReadable(next) && next.durableOffset > 0 ? next : undefined;
  }

  /** Whether the file holds the same bytes as memory: not of a segment that is gone, nor in a compressed file. */
  #isReadable(segment: Segment): boolean {
    return !segment.compressed && this.#options.segments.ordered.includes(segment);
  }

  #compare(segment: Segment, position: number, length: number, piece: Uint8Array): void {
    const expected = segment.bytes.subarray(position, position + length);
    if (piece.length === length && Buffer.compare(piece, expected) === 0) return;
    let first = 0;
    while (first < length && piece[first] === expected[first]) first++;
    let last = length - 1;
    while (last > first && piece[last] === expected[last]) last--;
    const from = recordStart(segment, position + first);
    const to = recordEnd(segment, position + last);
    const path = segmentPath(segment.id);
    // Damaged memory is the business of the other walk; it comes back to the file in the next round.
    if (!isSoundRange(segment, from, to)) return;
    this.#options.disk.readLater(path, from, to - from, (error, bytes) => {
      if (!this.#isReadable(segment)) return;
      const whole = error === undefined && bytes.length === to - from && from >= SEGMENT_HEADER_BYTES;
      if (whole && isSoundRun(bytes, segment.generation, from)) return;
      this.#options.onDamaged(path, position + first, error?.message ?? 'a record does not verify');
      if (isSoundRange(segment, from, to)) this.#rewrite(segment, from, to);
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

/** Whether everything in a range of memory verifies; it begins and ends with a record or the segment's header. */
function isSoundRange(segment: Segment, from: number, to: number): boolean {
  const { view, generation } = segment;
  let at = from;
  if (at === 0) {
    if (typeof readSegmentHeader(view) === 'string') return false;
    at = SEGMENT_HEADER_BYTES;
  }
  while (at < to) {
    if (!isSoundAt(view, at, to, generation, at)) return false;
    at += sizeAt(view, at);
  }
  return at === to;
}
