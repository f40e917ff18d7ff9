import { readCounter, writeCounter } from './frame.js';

/**
 * Bodies of the frames between nodes (PROTOCOL.md, "Between nodes"). Offsets are from the start of the body.
 *
 * streamRun   0 u32 stream id · 4 u32 segment generation · 8 u32 segment offset · 12 u32 options
 *             16 u64 LSN of the last record · 24 log records, verbatim
 * streamAck   0 u32 stream id · 4 u32 number of refusals · 8 u64 acknowledged LSN · 16 refusals of 20 bytes:
 *             u64 LSN, then the stamp that supersedes it, whose last u16 is 1 where the key is serial
 * readVersion 0 u8 1 if the asker holds a tombstone · 1 u8 0 · 2 u16 key bytes · 4 stamp the asker holds · 16 key
 *   reply     0 u8 kind (same, value, tombstone, never written) · 1 u8 options · 2 u16 0 · 4 stamp
 *             16 with option 1 u64 deadline, value
 * repair      0 u8 record kind · 1 u8 options · 2 u16 key bytes · 4 stamp · 16 key, with option 1 u64 deadline, value
 *   reply     empty
 * memoryPressure 0 u16 node number · 2 u16 0 · 4 u32 keys beyond the sender's bounds; no reply
 */
export const STREAM_RUN_HEADER_BYTES = 24;
export const STREAM_ACK_HEADER_BYTES = 16;
export const STREAM_REFUSAL_BYTES = 20;
export const VERSION_HEADER_BYTES = 16;

/** In a refusal of a streamAck: the record's key is serial at the replica, and takes no plain version. */
export const REFUSED_SERIAL = 1;

/** Options of a streamRun: the sender is catching the receiver up, so it may hold some of the records already. */
export const RUN_CATCH_UP = 1;

/** In a readVersion: what the asker holds is a tombstone. */
export const HELD_TOMBSTONE = 1;

/** Options of a version that travels alone: its value has a deadline, u64 Unix milliseconds, in front of it. */
export const VERSION_EXPIRES = 1;

/** What a readVersion reply says of the replica's version. */
export const VersionKind = { same: 0, value: 1, tombstone: 2, never: 3 } as const;

export function writeStreamRunHeader(
  view: DataView,
  offset: number,
  streamId: number,
  segmentGeneration: number,
  segmentOffset: number,
  options: number,
  lastLsn: number,
): void {
  view.setUint32(offset, streamId, true);
  view.setUint32(offset + 4, segmentGeneration, true);
  view.setUint32(offset + 8, segmentOffset, true);
  view.setUint32(offset + 12, options, true);
  writeCounter(view, offset + 16, lastLsn);
}

export function runStreamId(view: DataView, body: number): number {
  return view.getUint32(body, true);
}
export function runSegmentGeneration(view: DataView, body: number): number {
  return view.getUint32(body + 4, true);
}
export function runSegmentOffset(view: DataView, body: number): number {
  return view.getUint32(body + 8, true);
}
export function runOptions(view: DataView, body: number): number {
  return view.getUint32(body + 12, true);
}
export function runLastLsn(view: DataView, body: number): number {
  return readCounter(view, body + 16);
}

export function writeStreamAckHeader(
  view: DataView,
  offset: number,
  streamId: number,
  refusals: number,
  acknowledgedLsn: number,
): void {
  view.setUint32(offset, streamId, true);
  view.setUint32(offset + 4, refusals, true);
  writeCounter(view, offset + 8, acknowledgedLsn);
}
/** Bytes of a memoryPressure's body. */
export const PRESSURE_BYTES = 8;

export function writePressure(view: DataView, offset: number, node: number, keys: number): void {
  view.setUint32(offset, node, true);
  view.setUint32(offset + 4, Math.min(keys, 0xffffffff), true);
}
export function pressureNode(view: DataView, body: number): number {
  return view.getUint16(body, true);
}
export function pressureKeys(view: DataView, body: number): number {
  return view.getUint32(body + 4, true);
}

export function ackStreamId(view: DataView, body: number): number {
  return view.getUint32(body, true);
}
export function ackRefusals(view: DataView, body: number): number {
  return view.getUint32(body + 4, true);
}
export function ackLsn(view: DataView, body: number): number {
  return readCounter(view, body + 8);
}
