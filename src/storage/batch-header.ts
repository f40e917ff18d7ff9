import { contentHash } from '../model/content-hash.js';
import { RecordKind, recordSalt, writeRecordHeader } from '../model/record.js';

/** A record header, u64 LSN of the record that follows, u32 proven segment, u32 proven offset. */
export const BATCH_HEADER_BYTES = 40;
/** The third word of every batch header: what a scan looks for. */
export const BATCH_HEADER_WORD: number = (RecordKind.batchHeader << 28) | BATCH_HEADER_BYTES;

const LSN_AT = 24;
const SEGMENT_AT = 32;
const OFFSET_AT = 36;
const TWO_32 = 4294967296;

/** Takes the place of a batch's header; it becomes valid by `completeBatchHeader`, when the batch is written. */
export function reserveBatchHeader(view: DataView, offset: number, nextLsn: number): void {
  const high = Math.floor(nextLsn / TWO_32);
  const low = nextLsn - high * TWO_32;
  view.setUint32(offset, low, true);
  writeRecordHeader(view, offset, RecordKind.batchHeader, BATCH_HEADER_BYTES, 0, 0, 0, 0);
  view.setUint32(offset + LSN_AT, low, true);
  view.setUint32(offset + LSN_AT + 4, high, true);
}

/** Says that everything before (`provenSegment`, `provenOffset`) was synced before this batch is written. */
export function completeBatchHeader(
  view: DataView,
  offset: number,
  generation: number,
  provenSegment: number,
  provenOffset: number,
): void {
  view.setUint32(offset + SEGMENT_AT, provenSegment, true);
  view.setUint32(offset + OFFSET_AT, provenOffset, true);
  view.setInt32(offset + 4, batchHeaderChecksum(view, offset, generation), true);
}

/** Whether a valid batch header lies at `offset`, which leaves room for one. */
export function isBatchHeader(view: DataView, offset: number, generation: number): boolean {
  return (
    view.getInt32(offset + 8, true) === BATCH_HEADER_WORD &&
    view.getInt32(offset + 4, true) === batchHeaderChecksum(view, offset, generation)
  );
}

export function provenSegmentOf(view: DataView, offset: number): number {
  return view.getUint32(offset + SEGMENT_AT, true);
}
export function provenOffsetOf(view: DataView, offset: number): number {
  return view.getUint32(offset + OFFSET_AT, true);
}

function batchHeaderChecksum(view: DataView, offset: number, generation: number): number {
  const hash = contentHash(view, offset + 8, offset + BATCH_HEADER_BYTES);
  return (hash + recordSalt(generation, offset, view.getUint32(offset, true))) | 0;
}
