import { FRAME_HEADER_BYTES, writeFrameHeader } from './frame.js';
import type { OutgoingBuffer } from './outgoing-buffer.js';

/**
 * Writes a whole frame whose body is at hand: ping, topology and status in both directions, and everything that is
 * forwarded as it is.
 *
 * @example writeFrame(out, Opcode.topology, 0, 1, 2000, counter, 0);
 */
export function writeFrame(
  out: OutgoingBuffer,
  opcode: number,
  flags: number,
  correlation: number,
  deadlineMs: number,
  counter: number,
  epoch: number,
  body?: Uint8Array,
): void {
  const at = out.reserve(FRAME_HEADER_BYTES);
  const bodyBytes = body === undefined ? 0 : body.length;
  if (body !== undefined) out.append(body);
  writeFrameHeader(out.view, at, bodyBytes, opcode, flags, correlation, deadlineMs, counter, epoch);
}
