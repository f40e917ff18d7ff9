/**
 * The fixed header of every frame, little-endian (PROTOCOL.md, "Frames"):
 *
 *     0 u32 length       bytes after this field: header rest and body
 *     4 u8  version
 *     5 u8  opcode
 *     6 u16 flags
 *     8 u32 correlation  matches a reply to its request
 *    12 u32 deadlineMs   request: milliseconds that remain, 0 for none; reply: 0
 *    16 u64 counter      the sender's Lamport counter, below 2^53, as low and high u32
 *    24 u32 epoch        topology epoch of the sender, 0 where it knows none
 *    28     body
 *
 * Accessors take a view and the offset of the frame and are hot: `bench -- node` watches them.
 */
export const PROTOCOL_VERSION = 1;
export const FRAME_HEADER_BYTES = 28;
/** What `length` counts beyond the body. */
export const FRAME_LENGTH_OVERHEAD: number = FRAME_HEADER_BYTES - 4;

export function writeFrameHeader(
  view: DataView,
  offset: number,
  bodyBytes: number,
  opcode: number,
  flags: number,
  correlation: number,
  deadlineMs: number,
  counter: number,
  epoch: number,
): void {
  view.setUint32(offset, bodyBytes + FRAME_LENGTH_OVERHEAD, true);
  view.setUint32(offset + 4, PROTOCOL_VERSION | (opcode << 8) | (flags << 16), true);
  view.setUint32(offset + 8, correlation, true);
  view.setUint32(offset + 12, deadlineMs, true);
  writeCounter(view, offset + 16, counter);
  view.setUint32(offset + 24, epoch, true);
}

/** Total bytes of the frame at `offset`, its length field included. */
export function frameBytes(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + 4;
}
export function frameVersion(view: DataView, offset: number): number {
  return view.getUint8(offset + 4);
}
export function frameOpcode(view: DataView, offset: number): number {
  return view.getUint8(offset + 5);
}
export function frameFlags(view: DataView, offset: number): number {
  return view.getUint16(offset + 6, true);
}
export function frameCorrelation(view: DataView, offset: number): number {
  return view.getUint32(offset + 8, true);
}
export function frameDeadlineMs(view: DataView, offset: number): number {
  return view.getUint32(offset + 12, true);
}
export function frameCounter(view: DataView, offset: number): number {
  return readCounter(view, offset + 16);
}
export function frameEpoch(view: DataView, offset: number): number {
  return view.getUint32(offset + 24, true);
}

const TWO_32 = 4294967296;

/** Writes a counter below 2^53 as two little-endian words: BigInt accessors cost 20 times as much. */
export function writeCounter(view: DataView, offset: number, counter: number): void {
  const high = Math.floor(counter / TWO_32);
  view.setUint32(offset, counter - high * TWO_32, true);
  view.setUint32(offset + 4, high, true);
}

/** Reads what `writeCounter` wrote. A value of 2^53 or more is a malformed frame, which the frame reader refuses. */
export function readCounter(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * TWO_32;
}
