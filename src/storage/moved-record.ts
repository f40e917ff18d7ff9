import type { OutgoingBuffer } from '@memdb/protocol';
import { recordChecksum, recordLsnLow, recordSalt } from '../model/record.js';
import type { Segment } from './segment.js';

/**
 * Appends a copy of the record at `segment.bytes[offset, offset + bytes)` to a run of records that a peer is sent, as if
 * it stood at this offset of generation 0. Its checksum is moved, not made anew: damage stays visible.
 */
export function appendMoved(run: OutgoingBuffer, segment: Segment, offset: number, bytes: number): void {
  const at = run.reserve(bytes);
  run.bytes.set(segment.bytes.subarray(offset, offset + bytes), at);
  const lsnLow = recordLsnLow(segment.view, offset);
  const moved = recordSalt(0, at, lsnLow) - recordSalt(segment.generation, offset, lsnLow);
  run.view.setUint32(at + 4, recordChecksum(run.view, at) + moved, true);
}
