import type { OutgoingBuffer } from './outgoing-buffer.js';
import { STAMP_BYTES, type WireStamp, writeStamp } from './stamp.js';

/** Keys and values are bytes; a string stands for its UTF-8. */
export type WireBytes = Uint8Array | string;

/** Appends `source` as it travels and returns how many bytes that took. Hot. */
export function appendWireBytes(out: OutgoingBuffer, source: WireBytes): number {
  if (typeof source === 'string') return out.appendText(source);
  out.append(source);
  return source.length;
}

/** Appends a stamp. */
export function appendStamp(out: OutgoingBuffer, stamp: WireStamp): void {
  // Not in one expression: `out.view` would be read before `reserve` may replace it.
  const at = out.reserve(STAMP_BYTES);
  writeStamp(out.view, at, stamp.counter, stamp.node);
}

/** Appends a value with its length in front, as u32. */
export function appendLengthAndBytes(out: OutgoingBuffer, bytes: Uint8Array): void {
  const at = out.reserve(4);
  out.view.setUint32(at, bytes.length, true);
  out.append(bytes);
}
