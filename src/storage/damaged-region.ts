import { contentHash } from '../model/content-hash.js';
import {
  isData,
  kindOf,
  lengthOf,
  paddedRecordBytes,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordKindLength,
  recordLsnLow,
  recordSalt,
  writeRecordHeader,
} from '../model/record.js';
import { BATCH_HEADER_WORD } from './batch-header.js';
import { isSoundAt } from './record-check.js';
import type { Segment } from './segment.js';
import { SEGMENT_HEADER_BYTES, segmentFile } from './segment-header.js';

/** A stretch of a segment in which nothing verifies: one record nearly always, more when a length was hit. */
export interface DamagedRegion {
  readonly segment: Segment;
  readonly file: string;
  readonly start: number;
  readonly end: number;
  /** LSN of the first record that lay there, and how many did; 0 for a batch header. */
  readonly firstLsn: number;
  readonly records: number;
}

/** The shortest record: a header and a word. */
const FILLER_BYTES_MIN: number = RECORD_HEADER_BYTES + 4;

/** Where a segment's records end that will not change any more: before the batch that is being filled. */
export function settledEnd(segment: Segment): number {
  return segment.openHeader === 0 ? segment.tail : segment.openHeader;
}

/** The region that begins at `start`, where nothing verifies: up to the next thing that does. */
export function damagedRegion(segment: Segment, start: number): DamagedRegion {
  const file = segmentFile(segment);
  const firstLsn = recordAt(segment, start).lsn;
  const next = nextSound(segment, start);
  const settled = settledEnd(segment);
  // The header of the batch that is being filled does not verify yet, and is not part of the damage.
  const end = start < settled ? Math.min(next, settled) : next;
  const behind = next === segment.tail ? segment.lastLsn + 1 : lsnAtOrBehind(segment, next);
  // What follows may be damaged as well and say anything: no more records than there is room for.
  const records = Math.max(0, Math.min(behind - firstLsn, Math.floor((end - start) / FILLER_BYTES_MIN)));
  return { segment, file, start, end, firstLsn, records };
}

/**
 * Where the record begins that covers `offset`, and the LSN that it must have. What does not verify on the way is passed
 * over as one: a flipped length leads anywhere.
 */
export function recordAt(segment: Segment, offset: number): { readonly start: number; readonly lsn: number } {
  const { view, tail, generation } = segment;
  let lsn = segment.firstLsn;
  let at = SEGMENT_HEADER_BYTES;
  for (;;) {
    const kindLength = recordKindLength(view, at);
    const isHeader = kindLength === BATCH_HEADER_WORD;
    const sound = isHeader || isSoundAt(view, at, tail, generation, at);
    const next = sound ? at + paddedRecordBytes(lengthOf(kindLength)) : nextSound(segment, at);
    if (next > offset || next >= tail) return { start: next > offset ? at : next, lsn };
    if (sound && kindOf(kindLength) !== RecordKind.batchHeader) lsn = segment.lsnOf(recordLsnLow(view, at)) + 1;
    if (!sound) lsn = lsnAtOrBehind(segment, next);
    at = next;
  }
}

/** The first place behind the damage at `start` where something verifies; the segment's tail if nothing does. */
function nextSound(segment: Segment, start: number): number {
  const { view, generation, tail } = segment;
  // A segment may be full to its last byte: there is nothing to read behind the last place for a header.
  for (let at = start + RECORD_HEADER_BYTES; at + RECORD_HEADER_BYTES <= tail; at += 4) {
    if (isPlausible(segment, at) && isSoundAt(view, at, tail, generation, at)) return at;
  }
  return tail;
}

/** Puts records that mean nothing into the region, one per LSN, so that whoever walks over the segment gets past it. */
export function fillRegion({ segment, start, end, firstLsn, records }: DamagedRegion): void {
  const { view, bytes, generation } = segment;
  const count = Math.max(1, records);
  bytes.fill(0, start, end);
  let at = start;
  for (let index = 0; index < count; index++) {
    const size = index + 1 === count ? end - at : FILLER_BYTES_MIN;
    const lsnLow = (firstLsn + index) >>> 0;
    view.setUint32(at, lsnLow, true);
    writeRecordHeader(view, at, records === 0 ? RecordKind.batchHeader : RecordKind.meta, size, 4, 0, 0, 0);
    view.setUint32(at + RECORD_HEADER_BYTES, FILLER_NAME, true);
    const checksum = contentHash(view, at + 8, at + size) + recordSalt(generation, at, lsnLow);
    view.setInt32(at + 4, checksum | 0, true);
    at += size;
  }
}

/** "lost": a filler is a meta record of this name. */
const FILLER_NAME = 0x74736f6c;

/** Whether a record may begin at `at`; saves a hash at nearly every place where none does. */
function isPlausible(segment: Segment, at: number): boolean {
  const kindLength = recordKindLength(segment.view, at);
  const kind = kindOf(kindLength);
  const length = lengthOf(kindLength);
  const isKnown = isData(kind) || kind === RecordKind.batchHeader || kind === RecordKind.meta;
  if (!isKnown || length < RECORD_HEADER_BYTES) return false;
  if (paddedRecordBytes(length) > segment.tail - at) return false;
  return segment.lsnOf(recordLsnLow(segment.view, at)) <= segment.lastLsn + 1;
}

/** LSN of the first record at `at`, or behind the batch headers there. */
function lsnAtOrBehind(segment: Segment, at: number): number {
  const { view, tail } = segment;
  let offset = at;
  while (offset + RECORD_HEADER_BYTES <= tail) {
    const kindLength = recordKindLength(view, offset);
    if (kindOf(kindLength) !== RecordKind.batchHeader) return segment.lsnOf(recordLsnLow(view, offset));
    offset += Math.max(RECORD_HEADER_BYTES, paddedRecordBytes(lengthOf(kindLength)));
  }
  return segment.lastLsn + 1;
}
