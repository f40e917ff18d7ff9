import { BodyReader } from './body-reader.js';
import { MemDbError, ProtocolError } from './errors.js';
import { FRAME_HEADER_BYTES, readCounter, writeCounter, writeFrameHeader } from './frame.js';
import { BATCH_ITEMS_MAX, KEY_BYTES_HARD_MAX, TTL_BYTES, VALUE_BYTES_HARD_MAX } from './limits.js';
import { Consistency, Opcode, RequestOption } from './opcodes.js';
import type { OutgoingBuffer } from './outgoing-buffer.js';
import { appendWireBytes, type WireBytes } from './wire-bytes.js';

/** A key in the frame that was decoded. */
export interface BatchKey {
  readonly keyStart: number;
  readonly keyLength: number;
}
/** A key and its value in the frame that was decoded. */
export interface BatchEntry extends BatchKey {
  readonly valueStart: number;
  readonly valueLength: number;
}

/**
 * Writes a getMany. Throws MemDbError `batch-too-large` or `key-too-large`, not-applied, and leaves `out` as it was
 * then; the caller cuts a long list beforehand, by items (BATCH_ITEMS_MAX) and bytes (`maxFrameBytes`).
 */
export function writeGetManyRequest(
  out: OutgoingBuffer,
  correlation: number,
  deadlineMs: number,
  counter: number,
  epoch: number,
  consistency: number,
  keys: readonly WireBytes[],
  flags: number = 0,
): void {
  const at = begin(out, consistency, keys.length, 0);
  for (const key of keys) {
    const item = out.reserve(2);
    // First append, then read `out.view`: growing replaces it.
    const keyBytes = appendChecked(out, at, key, KEY_BYTES_HARD_MAX, 'key-too-large');
    out.view.setUint16(item, keyBytes, true);
  }
  finish(out, at, Opcode.getMany, flags, correlation, deadlineMs, counter, epoch);
}

/**
 * Writes a setMany; with `ttlMs` above 0 all its values expire, as in `writeSetRequest`. Throws as
 * `writeGetManyRequest` does, and `value-too-large`.
 */
export function writeSetManyRequest(
  out: OutgoingBuffer,
  correlation: number,
  deadlineMs: number,
  counter: number,
  epoch: number,
  consistency: number,
  entries: readonly (readonly [key: WireBytes, value: WireBytes])[],
  flags: number = 0,
  ttlMs: number = 0,
): void {
  const at = begin(out, consistency, entries.length, ttlMs);
  for (const [key, value] of entries) {
    const item = out.reserve(8);
    const keyBytes = appendChecked(out, at, key, KEY_BYTES_HARD_MAX, 'key-too-large');
    const valueBytes = appendChecked(out, at, value, VALUE_BYTES_HARD_MAX, 'value-too-large');
    out.view.setUint32(item, keyBytes, true);
    out.view.setUint32(item + 4, valueBytes, true);
  }
  finish(out, at, Opcode.setMany, flags, correlation, deadlineMs, counter, epoch);
}

function begin(out: OutgoingBuffer, consistency: number, count: number, ttlMs: number): number {
  if (count > BATCH_ITEMS_MAX) {
    throw new MemDbError('batch-too-large', `The batch has ${count} items; one takes at most ${BATCH_ITEMS_MAX}.`);
  }
  const expires = ttlMs !== 0;
  const at = out.reserve(FRAME_HEADER_BYTES + 4 + (expires ? TTL_BYTES : 0));
  const options = expires ? RequestOption.ttl : 0;
  out.view.setUint32(at + FRAME_HEADER_BYTES, consistency | (options << 8) | (count << 16), true);
  if (expires) writeCounter(out.view, at + FRAME_HEADER_BYTES + 4, ttlMs);
  return at;
}

function appendChecked(
  out: OutgoingBuffer,
  at: number,
  source: WireBytes,
  most: number,
  code: 'key-too-large' | 'value-too-large',
): number {
  let length = source.length;
  if (length <= most) length = appendWireBytes(out, source);
  if (length > most) {
    out.end = at;
    const what = code === 'key-too-large' ? 'key' : 'value';
    throw new MemDbError(
      code,
      `A ${what} of the batch has at least ${length} bytes; no node accepts more than ${most}.`,
    );
  }
  return length;
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
): void {
  const bodyBytes = out.end - at - FRAME_HEADER_BYTES;
  writeFrameHeader(out.view, at, bodyBytes, opcode, flags, correlation, deadlineMs, counter, epoch);
}

/** Reads the getMany `[frame, end)`. Throws ProtocolError. Keys may be empty or over-long: the node refuses those. */
export function decodeGetManyRequest(
  bytes: Uint8Array,
  view: DataView,
  frame: number,
  end: number,
): { readonly consistency: number; readonly keys: readonly BatchKey[] } {
  const reader = readerOf('getMany', bytes, view, frame, end);
  const consistency = readConsistency(reader);
  reader.zeros(1);
  const count = readCount(reader, 2);
  const keys: BatchKey[] = [];
  for (let index = 0; index < count; index++) {
    const keyLength = reader.u16('key length');
    keys.push({ keyStart: reader.skip(keyLength, 'key'), keyLength });
  }
  reader.finish();
  return { consistency, keys };
}

/**
 * Reads the setMany `[frame, end)`; `ttlMs` is 0 where its values do not expire. Throws ProtocolError. Keys and values
 * may be over-long, and a time to live may be any number: the node refuses those.
 */
export function decodeSetManyRequest(
  bytes: Uint8Array,
  view: DataView,
  frame: number,
  end: number,
): { readonly consistency: number; readonly ttlMs: number; readonly entries: readonly BatchEntry[] } {
  const reader = readerOf('setMany', bytes, view, frame, end);
  const consistency = readConsistency(reader);
  const options = reader.u8('options');
  if (options !== 0 && options !== RequestOption.ttl) reader.fail(`options ${options}`);
  const count = readCount(reader, 8, options === 0 ? 0 : TTL_BYTES);
  const ttlMs = options === 0 ? 0 : readCounter(view, reader.skip(TTL_BYTES, 'time to live'));
  const entries: BatchEntry[] = [];
  for (let index = 0; index < count; index++) {
    const keyLength = reader.u16('key length');
    reader.zeros(2);
    const valueLength = reader.u32('value length');
    const keyStart = reader.skip(keyLength, 'key');
    entries.push({ keyStart, keyLength, valueStart: reader.skip(valueLength, 'value'), valueLength });
  }
  reader.finish();
  return { consistency, ttlMs, entries };
}

function readerOf(what: string, bytes: Uint8Array, view: DataView, frame: number, end: number): BodyReader {
  if (end - frame < FRAME_HEADER_BYTES) throw new ProtocolError('bad-request', frame, `${what} is cut`);
  return new BodyReader(what, bytes, view, frame + FRAME_HEADER_BYTES, end);
}

function readConsistency(reader: BodyReader): number {
  const consistency = reader.u8('consistency');
  if (consistency < Consistency.one || consistency > Consistency.serial) reader.fail(`consistency ${consistency}`);
  return consistency;
}

/** The number of items, which must fit into what is left at `leastBytes` each: nothing is made for a mere claim. */
function readCount(reader: BodyReader, leastBytes: number, fixedBytes: number = 0): number {
  const count = reader.u16('number of items');
  if (count > BATCH_ITEMS_MAX) reader.fail(`${count} items, at most ${BATCH_ITEMS_MAX} are accepted`);
  if (fixedBytes + count * leastBytes > reader.end - reader.at)
    reader.fail(`${count} items in ${reader.end - reader.at} bytes`);
  return count;
}
