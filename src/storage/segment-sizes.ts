import { BATCH_HEADER_BYTES } from './batch-header.js';
import { SEGMENT_HEADER_BYTES } from './segment-header.js';

/**
 * Kept free in the last segment that has a file, for meta records: 600 extensions of the clock's lease of 100 bytes, or
 * a few topologies, while the disk is full.
 */
export const META_RESERVE_BYTES: number = 64 * 1024;
/** A batch header in front and the closing one behind; with the header, what a segment needs beside one record. */
export const BATCH_OVERHEAD_BYTES: number = 2 * BATCH_HEADER_BYTES;
export const SEGMENT_OVERHEAD_BYTES: number = SEGMENT_HEADER_BYTES + BATCH_OVERHEAD_BYTES + META_RESERVE_BYTES;

/** Segments that the live data would fill, at least: what lies between full and empty is then small beside the data. */
const SEGMENTS_PER_LIVE = 24;
/** Below this a buffer of its own, or a file, costs more than it saves. */
const SEGMENT_BYTES_MIN: number = 512 * 1024;
const SEGMENT_FILE_BYTES_MIN: number = 1024 * 1024;

/**
 * How large the next segment is: a power of two that grows with the data. The active segment, those kept ready and
 * those that are being copied are never full, and 16 MiB of each is much beside 14 MB of data; a small segment is also
 * still in the processor's cache when it is used again.
 */
export class SegmentSizes {
  /** A power of two that no segment exceeds. */
  readonly bytesMax: number;
  readonly #liveBytes: () => number;
  /** What the largest record so far needs. */
  #bytesMin: number;

  /** `bytesMax`: a power of two. `files`: segments are files too. */
  constructor(bytesMax: number, files: boolean, liveBytes: () => number) {
    this.bytesMax = bytesMax;
    this.#liveBytes = liveBytes;
    this.#bytesMin = Math.min(files ? SEGMENT_FILE_BYTES_MIN : SEGMENT_BYTES_MIN, bytesMax);
  }

  /** Bytes of a segment that is made now. */
  get bytes(): number {
    let bytes = this.#bytesMin;
    while (bytes < this.bytesMax && bytes * 2 * SEGMENTS_PER_LIVE <= this.#liveBytes()) bytes *= 2;
    return bytes;
  }

  /** Segments hold at least so many bytes from now on. */
  widen(bytes: number): void {
    while (this.#bytesMin < Math.min(bytes, this.bytesMax)) this.#bytesMin *= 2;
  }
}

/** The largest record that an empty segment of this capacity takes. */
export function usableBytes(capacity: number): number {
  return capacity - SEGMENT_HEADER_BYTES - BATCH_OVERHEAD_BYTES;
}

/** Whether a file of so many bytes can be a segment where none exceeds `bytesMax`. */
export function isSegmentSize(bytes: number, bytesMax: number): boolean {
  return bytes > SEGMENT_OVERHEAD_BYTES && bytes <= bytesMax && Number.isInteger(Math.log2(bytes));
}
