import { FRAME_HEADER_BYTES, frameBytes, OutgoingBuffer } from '@memdb/protocol';

/** The bytes that `write` appends to an outgoing buffer. */
export function written(write: (out: OutgoingBuffer) => void): Uint8Array {
  const out = new OutgoingBuffer();
  write(out);
  return out.bytes.slice(0, out.end);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** `frame` put into a larger array at an odd place, so that a decoder that forgets its start or end is caught. */
export function placed(
  frame: Uint8Array,
  filler: number = 0xee,
): { bytes: Uint8Array; view: DataView; start: number; end: number } {
  const start = 37;
  const bytes = new Uint8Array(frame.length + start + 11).fill(filler);
  bytes.set(frame, start);
  return { bytes, view: viewOf(bytes), start, end: start + frame.length };
}

/** `frame` cut to `length` bytes with a length field that says so. */
export function cut(frame: Uint8Array, length: number): Uint8Array {
  const bytes = frame.slice(0, length);
  if (length >= FRAME_HEADER_BYTES) viewOf(bytes).setUint32(0, length - 4, true);
  return bytes;
}

export function isWholeFrame(bytes: Uint8Array): boolean {
  return bytes.length >= FRAME_HEADER_BYTES && frameBytes(viewOf(bytes), 0) === bytes.length;
}
