import { contentHash } from '../model/content-hash.js';
import {
  lengthOf,
  paddedRecordBytes,
  RECORD_HEADER_BYTES,
  recordChecksum,
  recordKeyLength,
  recordKindLength,
  recordLsnLow,
  recordSalt,
} from '../model/record.js';
import type { Segment } from './segment.js';
import { readSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-header.js';

/** Whether the record at `offset` is what was appended there. */
export function recordIsSound(segment: Segment, offset: number): boolean {
  return isSoundAt(segment.view, offset, segment.tail, segment.generation, offset);
}

/** The same for a copy: it lies at `view[at]`, and belongs to `offset` of a segment of `generation`. */
export function isSoundAt(view: DataView, at: number, end: number, generation: number, offset: number): boolean {
  if (end - at < RECORD_HEADER_BYTES) return false;
  const length = lengthOf(recordKindLength(view, at));
  const size = paddedRecordBytes(length);
  if (length < RECORD_HEADER_BYTES || size > end - at) return false;
  const salt = recordSalt(generation, offset, recordLsnLow(view, at));
  return (contentHash(view, at + 8, at + size) + salt) >>> 0 === recordChecksum(view, at);
}

/**
 * Verifies memory from `from`, where a record or the segment's header begins, up to `to` or the end of the record there.
 * Returns how far it came: less than `to` where something does not verify.
 */
export function soundEnd({ view, generation, tail }: Segment, from: number, to: number): number {
  let at = from;
  if (at === 0) {
    if (typeof readSegmentHeader(view) === 'string') return 0;
    at = SEGMENT_HEADER_BYTES;
  }
  while (at < to && isSoundAt(view, at, tail, generation, at)) {
    at += paddedRecordBytes(lengthOf(recordKindLength(view, at)));
  }
  return at;
}

/** Whether `bytes` are sound records from one end to the other, as they belong to `offset` of a segment. */
export function isSoundRun(bytes: Uint8Array, generation: number, offset: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < bytes.length) {
    if (!isSoundAt(view, at, bytes.length, generation, offset + at)) return false;
    at += paddedRecordBytes(lengthOf(recordKindLength(view, at)));
  }
  return at === bytes.length;
}

/** Whether a value, tombstone or meta record may lie at `offset`, and be read. Whether it does, only its checksum or the index can say. */
export function headerIsPlausible(segment: Segment, offset: number): boolean {
  if (segment.tail - offset < RECORD_HEADER_BYTES) return false;
  const kindLength = recordKindLength(segment.view, offset);
  const length = lengthOf(kindLength);
  if (length < RECORD_HEADER_BYTES || paddedRecordBytes(length) > segment.tail - offset) return false;
  if (segment.lsnOf(recordLsnLow(segment.view, offset)) > segment.lastLsn) return false;
  return RECORD_HEADER_BYTES + recordKeyLength(segment.view, offset) <= length;
}
