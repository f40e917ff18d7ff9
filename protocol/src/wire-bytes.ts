import type { OutgoingBuffer } from './outgoing-buffer.js';

/** Keys and values are bytes; a string stands for its UTF-8. */
export type WireBytes = Uint8Array | string;

/** Appends `source` as it travels and returns how many bytes that took. Hot. */
export function appendWireBytes(out: OutgoingBuffer, source: WireBytes): number {
  if (typeof source === 'string') return out.appendText(source);
  out.append(source);
  return source.length;
}
