import { type ErrorBody, encodeErrorBody } from './error-body.js';
import { ProtocolError } from './errors.js';
import { FRAME_HEADER_BYTES, writeFrameHeader } from './frame.js';
import { Flag, Opcode } from './opcodes.js';
import type { OutgoingBuffer } from './outgoing-buffer.js';
import { writeFrame } from './plain-frame.js';
import { STAMP_BYTES, stampCounter, stampNode, writeStamp } from './stamp.js';

/** Offset of a value from the start of the get reply that carries it: behind the header and the stamp. */
export const REPLY_VALUE_OFFSET: number = FRAME_HEADER_BYTES + STAMP_BYTES;

/** Writes the reply to set, delete or contains, or with `Flag.absent` in `flags` to a get that found nothing. Hot. */
export function writeStampReply(
  out: OutgoingBuffer,
  opcode: number,
  flags: number,
  correlation: number,
  counter: number,
  epoch: number,
  stampCounterValue: number,
  stampNodeValue: number,
): void {
  const at = out.reserve(REPLY_VALUE_OFFSET);
  writeFrameHeader(out.view, at, STAMP_BYTES, opcode, flags | Flag.reply, correlation, 0, counter, epoch);
  writeStamp(out.view, at + FRAME_HEADER_BYTES, stampCounterValue, stampNodeValue);
}

/** Writes the reply to a get that found `source[start, start + length)`; `sourceView` covers the same memory. Hot. */
export function writeValueReply(
  out: OutgoingBuffer,
  correlation: number,
  counter: number,
  epoch: number,
  stampCounterValue: number,
  stampNodeValue: number,
  source: Uint8Array,
  sourceView: DataView,
  start: number,
  length: number,
): void {
  const at = out.reserve(REPLY_VALUE_OFFSET);
  out.appendRange(source, sourceView, start, length);
  writeFrameHeader(out.view, at, STAMP_BYTES + length, Opcode.get, Flag.reply, correlation, 0, counter, epoch);
  writeStamp(out.view, at + FRAME_HEADER_BYTES, stampCounterValue, stampNodeValue);
}

/** Writes the reply that the request failed. */
export function writeErrorReply(
  out: OutgoingBuffer,
  opcode: number,
  correlation: number,
  counter: number,
  epoch: number,
  error: ErrorBody,
): void {
  writeFrame(out, opcode, Flag.reply | Flag.error, correlation, 0, counter, epoch, encodeErrorBody(error));
}

/** Writes a goodbye: the connection ends for the reason in `error`, and nothing that comes after it is answered. */
export function writeGoodbye(out: OutgoingBuffer, counter: number, epoch: number, error: ErrorBody): void {
  writeErrorReply(out, Opcode.goodbye, 0, counter, epoch, error);
}

/**
 * Checks that the reply `[frame, end)`, not an error, carries a stamp before `replyStampCounter` and the value are
 * used; `exact` where nothing may follow it. Throws ProtocolError. Hot.
 */
export function checkStampReply(view: DataView, frame: number, end: number, exact: boolean): void {
  const bytes = end - frame;
  if (bytes < REPLY_VALUE_OFFSET || (exact && bytes !== REPLY_VALUE_OFFSET)) {
    throw new ProtocolError('bad-request', frame, `reply of ${bytes} bytes, a stamp takes ${REPLY_VALUE_OFFSET}`);
  }
  if (view.getUint16(frame + FRAME_HEADER_BYTES + 10, true) !== 0 || view.getUint32(frame + 32, true) >= 2 ** 21) {
    throw new ProtocolError('bad-request', frame + FRAME_HEADER_BYTES, 'reply with a malformed stamp');
  }
}
/** The stamp's counter in the checked reply at `frame`. */
export function replyStampCounter(view: DataView, frame: number): number {
  return stampCounter(view, frame + FRAME_HEADER_BYTES);
}
/** The stamp's node number in the checked reply at `frame`. */
export function replyStampNode(view: DataView, frame: number): number {
  return stampNode(view, frame + FRAME_HEADER_BYTES);
}
/** Where the value of the checked get reply at `frame` begins; it ends with the frame. */
export function replyValueStart(frame: number): number {
  return frame + REPLY_VALUE_OFFSET;
}
