import { MemDbError, ProtocolError } from './errors.js';
import { FRAME_HEADER_BYTES, readCounter, writeCounter, writeFrameHeader } from './frame.js';
import { KEY_BYTES_HARD_MAX, KEY_REQUEST_FIXED_BYTES, TTL_BYTES, VALUE_BYTES_HARD_MAX } from './limits.js';
import { Consistency, Opcode, RequestOption } from './opcodes.js';
import type { OutgoingBuffer } from './outgoing-buffer.js';
import { appendWireBytes, type WireBytes } from './wire-bytes.js';

/**
 * Requests about one key share a layout (PROTOCOL.md, "Requests about one key"); offsets are from the frame's start:
 *
 *    28 u8  consistency (quorumGet: replies)
 *    29 u8  options; 1, of a set: it expires
 *    30 u16 key bytes
 *    32     key, then for set u64 ttlMs with option 1, and the value
 *
 * Everything here is hot: `bench -- node` and `bench -- client` watch it.
 */
export const KEY_OFFSET: number = FRAME_HEADER_BYTES + KEY_REQUEST_FIXED_BYTES;

/** quorumGet's `replies`: a majority, or every owner; any other number is that many. */
export const QUORUM_REPLIES = 0;
export const ALL_REPLIES = 255;

/**
 * Writes a get, delete, contains or quorumGet (there `consistency` is the number of replies). Throws MemDbError
 * `key-too-large`, not-applied, for a key that no node accepts, and leaves `out` as it was then.
 *
 * @example writeKeyRequest(out, Opcode.get, 7, 2000, session.counter, epoch, Consistency.quorum, 'user:1');
 */
export function writeKeyRequest(
  out: OutgoingBuffer,
  opcode: number,
  correlation: number,
  deadlineMs: number,
  counter: number,
  epoch: number,
  consistency: number,
  key: WireBytes,
  flags: number = 0,
): void {
  const at = out.reserve(KEY_OFFSET);
  const keyBytes = appendKey(out, at, key);
  finish(out, at, opcode, flags, correlation, deadlineMs, counter, epoch, consistency, keyBytes, 0);
}

/** As `writeKeyRequest`, with a key that is encoded already: `source[start, start + length)`. */
export function writeKeyRangeRequest(
  out: OutgoingBuffer,
  opcode: number,
  correlation: number,
  deadlineMs: number,
  counter: number,
  epoch: number,
  consistency: number,
  source: Uint8Array,
  sourceView: DataView,
  start: number,
  length: number,
  flags: number = 0,
): void {
  checkKeyBytes(length);
  const at = out.reserve(KEY_OFFSET);
  out.appendRange(source, sourceView, start, length);
  finish(out, at, opcode, flags, correlation, deadlineMs, counter, epoch, consistency, length, 0);
}

/**
 * Writes a set; with `ttlMs` above 0 its value expires so many milliseconds after a node took it, which only a peer of
 * feature `ttl` understands. Throws MemDbError `key-too-large` or `value-too-large`, not-applied, for what no node
 * accepts, and leaves `out` as it was then.
 */
export function writeSetRequest(
  out: OutgoingBuffer,
  correlation: number,
  deadlineMs: number,
  counter: number,
  epoch: number,
  consistency: number,
  key: WireBytes,
  value: WireBytes,
  flags: number = 0,
  ttlMs: number = 0,
): void {
  const at = out.reserve(KEY_OFFSET);
  const keyBytes = appendKey(out, at, key);
  if (ttlMs !== 0) appendTtl(out, ttlMs);
  appendValue(out, at, value);
  finish(out, at, Opcode.set, flags, correlation, deadlineMs, counter, epoch, consistency, keyBytes, ttlMs);
}

/** As `writeSetRequest`, with a key that is encoded already: `source[start, start + length)`. */
export function writeSetRangeRequest(
  out: OutgoingBuffer,
  correlation: number,
  deadlineMs: number,
  counter: number,
  epoch: number,
  consistency: number,
  source: Uint8Array,
  sourceView: DataView,
  start: number,
  length: number,
  value: WireBytes,
  flags: number = 0,
  ttlMs: number = 0,
): void {
  checkKeyBytes(length);
  const at = out.reserve(KEY_OFFSET);
  out.appendRange(source, sourceView, start, length);
  if (ttlMs !== 0) appendTtl(out, ttlMs);
  appendValue(out, at, value);
  finish(out, at, Opcode.set, flags, correlation, deadlineMs, counter, epoch, consistency, length, ttlMs);
}

function appendKey(out: OutgoingBuffer, at: number, key: WireBytes): number {
  // A UTF-8 encoding is never shorter than the string, so a hopeless key is refused before it is encoded.
  let keyBytes = key.length;
  if (keyBytes <= KEY_BYTES_HARD_MAX) keyBytes = appendWireBytes(out, key);
  if (keyBytes > KEY_BYTES_HARD_MAX) {
    out.end = at;
    checkKeyBytes(keyBytes);
  }
  return keyBytes;
}

function appendTtl(out: OutgoingBuffer, ttlMs: number): void {
  const at = out.reserve(TTL_BYTES);
  writeCounter(out.view, at, ttlMs);
}

function appendValue(out: OutgoingBuffer, at: number, value: WireBytes): void {
  let valueBytes = value.length;
  if (valueBytes <= VALUE_BYTES_HARD_MAX) valueBytes = appendWireBytes(out, value);
  if (valueBytes > VALUE_BYTES_HARD_MAX) {
    out.end = at;
    throw new MemDbError(
      'value-too-large',
      `The value has at least ${valueBytes} bytes; no node accepts more than ${VALUE_BYTES_HARD_MAX}. Split it.`,
    );
  }
}

function checkKeyBytes(keyBytes: number): void {
  if (keyBytes <= KEY_BYTES_HARD_MAX) return;
  throw new MemDbError(
    'key-too-large',
    `The key has at least ${keyBytes} bytes; no node accepts more than ${KEY_BYTES_HARD_MAX}. Shorten it, or use its hash.`,
  );
}

function finish(
  out: OutgoingBuffer,
  at: number,
  opcode: number,
  flags: number,
  correlation: number,
  deadlineMs: number,
  counter: number,
  epoch: number,
  consistency: number,
  keyBytes: number,
  ttlMs: number,
): void {
  const view = out.view;
  const bodyBytes = out.end - at - FRAME_HEADER_BYTES;
  writeFrameHeader(view, at, bodyBytes, opcode, flags, correlation, deadlineMs, counter, epoch);
  const options = ttlMs === 0 ? 0 : RequestOption.ttl;
  view.setUint32(at + FRAME_HEADER_BYTES, consistency | (options << 8) | (keyBytes << 16), true);
}

/**
 * Checks the frame `[frame, end)` of a get, delete or contains before anything of it is used: its consistency is
 * known, its options are 0, and the key fills it exactly. Throws ProtocolError. An empty or over-long key is for the
 * node to refuse: the frame itself is sound.
 */
export function checkKeyRequest(view: DataView, frame: number, end: number): void {
  checkFixed(view, frame, end, 0);
  checkConsistency(view, frame);
  if (KEY_OFFSET + view.getUint16(frame + 30, true) !== end - frame) failKey(view, frame, end);
}

/** As `checkKeyRequest`, for a set: key and time to live lie in the frame, the value is the rest. */
export function checkSetRequest(view: DataView, frame: number, end: number): void {
  checkFixed(view, frame, end, RequestOption.ttl);
  checkConsistency(view, frame);
  if (setRequestValueStart(view, frame) > end) failKey(view, frame, end);
}

/** As `checkKeyRequest`, for a quorumGet, where any number of replies is sound. */
export function checkQuorumGetRequest(view: DataView, frame: number, end: number): void {
  checkFixed(view, frame, end, 0);
  if (KEY_OFFSET + view.getUint16(frame + 30, true) !== end - frame) failKey(view, frame, end);
}

function checkFixed(view: DataView, frame: number, end: number, optionsKnown: number): void {
  if (end - frame < KEY_OFFSET) {
    throw new ProtocolError('bad-request', frame, `key request of ${end - frame} bytes, at least ${KEY_OFFSET}`);
  }
  const options = view.getUint8(frame + 29);
  if ((options & ~optionsKnown) !== 0) {
    throw new ProtocolError('bad-request', frame + 29, `key request with options ${options}`);
  }
}

function checkConsistency(view: DataView, frame: number): void {
  const consistency = view.getUint8(frame + 28);
  if (consistency >= Consistency.one && consistency <= Consistency.serial) return;
  throw new ProtocolError('bad-request', frame + 28, `consistency ${consistency}`);
}

function failKey(view: DataView, frame: number, end: number): never {
  const keyBytes = view.getUint16(frame + 30, true);
  const room = end - frame - KEY_OFFSET;
  throw new ProtocolError('bad-request', frame + 30, `key of ${keyBytes} bytes in a request with room for ${room}`);
}

/** The consistency of the checked request at `frame`; for a quorumGet the number of replies. */
export function keyRequestConsistency(view: DataView, frame: number): number {
  return view.getUint8(frame + 28);
}
export function keyRequestKeyStart(frame: number): number {
  return frame + KEY_OFFSET;
}
export function keyRequestKeyLength(view: DataView, frame: number): number {
  return view.getUint16(frame + 30, true);
}
/** Where the value of the checked set at `frame` begins; it ends with the frame. */
export function setRequestValueStart(view: DataView, frame: number): number {
  const keyEnd = frame + KEY_OFFSET + view.getUint16(frame + 30, true);
  return view.getUint8(frame + 29) === RequestOption.ttl ? keyEnd + TTL_BYTES : keyEnd;
}
/** Milliseconds after which the value of the checked set at `frame` expires; 0: never. Any number may stand there. */
export function setRequestTtlMs(view: DataView, frame: number): number {
  if (view.getUint8(frame + 29) !== RequestOption.ttl) return 0;
  return readCounter(view, frame + KEY_OFFSET + view.getUint16(frame + 30, true));
}
