import { contentHash } from '../model/content-hash.js';
import {
  lengthOf,
  paddedRecordBytes,
  recordChecksum,
  recordKindLength,
  recordLsnLow,
  recordSalt,
} from '../model/record.js';
import type { Segment } from './segment.js';

/** Whether the record at `offset` is what was appended there. */
export function recordIsSound(segment: Segment, offset: number): boolean {
  const { view, tail, generation } = segment;
  const size = paddedRecordBytes(lengthOf(recordKindLength(view, offset)));
  if (size > tail - offset) return false;
  const salt = recordSalt(generation, offset, recordLsnLow(view, offset));
  return (contentHash(view, offset + 8, offset + size) + salt) >>> 0 === recordChecksum(view, offset);
}
