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
/** Below this a buffer of its own costs more than it saves. */
const SEGMENT_BYTES_MIN: number = 512 * 1024;

/**
 * How large the next segment is: a power of two that grows with the data. The active segment and those that are being
 * copied are never full, and 16 MiB of each is much beside 14 MB of data; a small segment is also still in the processor's
 * cache when it is used again.
 *
 * A file is made before anybody knows what will be put into it: each must hold the largest record there may be. Memory
 * is taken when it is needed.
 */
export class SegmentSizes {
  /** Powers of two. */
  readonly bytesMax: number;
  readonly bytesMin: number;
  readonly #liveBytes: () => number;

  /** `recordBytes`: of the largest record that each segment must hold, 0 for any. */
  constructor(bytesMax: number, recordBytes: number, liveBytes: () => number) {
    this.bytesMax = bytesMax;
    this.bytesMin = segmentBytesMin(bytesMax, recordBytes);
    this.#liveBytes = liveBytes;
  }

  /** Bytes of a segment that is made now. */
  get bytes(): number {
    let bytes = this.bytesMin;
    while (bytes < this.bytesMax && bytes * 2 * SEGMENTS_PER_LIVE <= this.#liveBytes()) bytes *= 2;
    return bytes;
  }

  /** The same of one that holds a record of `recordBytes`. */
  bytesFor(recordBytes: number): number {
    return Math.max(this.bytes, segmentBytesMin(this.bytesMax, recordBytes));
  }
}

/** The smallest segment, where none exceeds `bytesMax` and each holds a record of `recordBytes`. */
export function segmentBytesMin(bytesMax: number, recordBytes: number): number {
  return powerOfTwo(Math.max(SEGMENT_BYTES_MIN, recordBytes + SEGMENT_OVERHEAD_BYTES), bytesMax);
}

function powerOfTwo(bytes: number, bytesMax: number): number {
  return Math.min(bytesMax, 2 ** Math.ceil(Math.log2(bytes)));
}

/** The largest record that an empty segment of this capacity takes. */
export function usableBytes(capacity: number): number {
  return capacity - SEGMENT_HEADER_BYTES - BATCH_OVERHEAD_BYTES;
}
