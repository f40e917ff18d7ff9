import { BALLOT_BYTES, type Ballot, compareBallots, NO_BALLOT, readBallot, writeBallot } from './ballot.js';
import { ProtocolError } from './errors.js';
import { readCounter, writeCounter } from './frame.js';
import { type OperationId, readOperationId, writeOperationId } from './operation-id.js';
import { STAMP_BYTES, stampCounter, stampNode, type WireStamp, writeStamp } from './stamp.js';

/**
 * What one acceptor knows of one key, as it stands in its log and travels between nodes (PROTOCOL.md, "Serial state").
 * Counter and node of the accepted ballot stand in front: in the header of the record, or as a stamp in the frame.
 *
 *    0 u8 flags · 1 u8 content · 2 u8 operations · 3 u8 zero · 4 u32 restart count of the accepted ballot
 *    8 promised ballot, flag 2 · stamp of the content, flag 4 · u64 forgotten, flag 8 · u64 deadline, flag 16
 *      operations of 28 bytes: id 16, stamp of the result 10, u8 verdict, u8 zero · value
 */
export const SERIAL_FIXED_BYTES = 8;
/** Of one operation that was applied. */
export const APPLIED_OPERATION_BYTES = 28;
/** Operations that a state remembers; a round applies fewer. 63 × 28 = 1.7 KiB at most, for a key with many writers. */
export const SERIAL_OPERATIONS_MAX = 63;
/** What stands in front of the value at most: fixed 8, ballot 16, stamp 12, forgotten 8, deadline 8, operations. */
export const SERIAL_OVERHEAD_BYTES_MAX: number =
  SERIAL_FIXED_BYTES + BALLOT_BYTES + STAMP_BYTES + 16 + SERIAL_OPERATIONS_MAX * APPLIED_OPERATION_BYTES;

const SerialFlag = { vote: 1, promise: 2, stamp: 4, forgotten: 8, expires: 16, forgottenToBallot: 32 } as const;
const FLAGS_KNOWN = 63;

/** What the key is, by what was accepted or, before anything was, by the plain version that the promise found. */
export const SerialContent = { never: 0, value: 1, tombstone: 2 } as const;

/** What became of an operation that a state remembers: it had its effect, or never will, by `resolve` or since its comparison failed. */
export const SerialVerdict = { applied: 1, cancelled: 2, failed: 3 } as const;

export interface AppliedOperation {
  readonly id: OperationId;
  /** Of the version that it made. */
  readonly stamp: WireStamp;
  readonly verdict: number;
}

export interface SerialState {
  /** No lower ballot is answered any more; at or above `accepted`, except for what was streamed. */
  readonly promised: Ballot;
  /** In which ballot the content was accepted; `NO_BALLOT` for a bare promise over a plain version. */
  readonly accepted: Ballot;
  /** False for what was streamed to a joining owner below its promise: it is reported, and is no vote. */
  readonly isVote: boolean;
  readonly content: number;
  readonly stamp: WireStamp;
  /** Unix milliseconds; 0: it never expires. */
  readonly expiresAtMs: number;
  /** The highest sequence among the operations that the state has forgotten; 0 while there are none. */
  readonly forgotten: number;
  /** The operations applied last, oldest first. */
  readonly operations: readonly AppliedOperation[];
  readonly value: Uint8Array;
}

const NO_VALUE = new Uint8Array(0);
const NO_STAMP: WireStamp = { counter: 0, node: 0 };

/** Of a key that was never written, at an acceptor that nobody asked. */
export const FRESH_SERIAL_STATE: SerialState = {
  promised: NO_BALLOT,
  accepted: NO_BALLOT,
  isVote: false,
  content: SerialContent.never,
  stamp: NO_STAMP,
  expiresAtMs: 0,
  forgotten: 0,
  operations: [],
  value: NO_VALUE,
};

/** Everything behind the accepted ballot's counter and node. */
export function encodeSerialState(state: SerialState): Uint8Array {
  const { promised, accepted, stamp, expiresAtMs, forgotten, operations, value } = state;
  const hasPromise = compareBallots(promised, accepted) !== 0;
  const hasStamp = stamp.counter !== accepted.counter || stamp.node !== accepted.node;
  const isForgottenToBallot = forgotten !== 0 && forgotten === accepted.counter;
  const hasForgotten = forgotten !== 0 && !isForgottenToBallot;
  const flags =
    (state.isVote ? SerialFlag.vote : 0) |
    (hasPromise ? SerialFlag.promise : 0) |
    (hasStamp ? SerialFlag.stamp : 0) |
    (hasForgotten ? SerialFlag.forgotten : 0) |
    (expiresAtMs === 0 ? 0 : SerialFlag.expires) |
    (isForgottenToBallot ? SerialFlag.forgottenToBallot : 0);
  const valueAt = valueOffset(flags, operations.length);
  const bytes = new Uint8Array(valueAt + value.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, flags | (state.content << 8) | (operations.length << 16), true);
  view.setUint32(4, accepted.generation, true);
  let at = SERIAL_FIXED_BYTES;
  if (hasPromise) {
    writeBallot(view, at, promised);
    at += BALLOT_BYTES;
  }
  if (hasStamp) {
    writeStamp(view, at, stamp.counter, stamp.node);
    at += STAMP_BYTES;
  }
  if (hasForgotten) {
    writeCounter(view, at, forgotten);
    at += 8;
  }
  if (expiresAtMs !== 0) {
    writeCounter(view, at, expiresAtMs);
    at += 8;
  }
  for (const operation of operations) {
    writeOperationId(view, at, operation.id);
    writeCounter(view, at + 16, operation.stamp.counter);
    view.setUint16(at + 24, operation.stamp.node, true);
    view.setUint8(at + 26, operation.verdict);
    at += APPLIED_OPERATION_BYTES;
  }
  bytes.set(value, valueAt);
  return bytes;
}

/**
 * Reads the state whose body is `bytes[start, end)` and whose accepted ballot has this counter and node; the value is a
 * copy. Throws ProtocolError when it is malformed.
 */
export function decodeSerialState(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  counter: number,
  node: number,
): SerialState {
  if (!isSerialState(view, start, end, counter)) {
    throw new ProtocolError('bad-request', start, 'a serial state is malformed');
  }
  const flags = view.getUint8(start);
  const accepted: Ballot = counter === 0 ? NO_BALLOT : { counter, node, generation: view.getUint32(start + 4, true) };
  let at = start + SERIAL_FIXED_BYTES;
  let promised = accepted;
  if ((flags & SerialFlag.promise) !== 0) {
    promised = readBallot(view, at);
    at += BALLOT_BYTES;
  }
  const stamp = serialStamp(view, start, counter, node);
  if ((flags & SerialFlag.stamp) !== 0) at += STAMP_BYTES;
  let forgotten = (flags & SerialFlag.forgottenToBallot) !== 0 ? counter : 0;
  if ((flags & SerialFlag.forgotten) !== 0) {
    forgotten = readCounter(view, at);
    at += 8;
  }
  let expiresAtMs = 0;
  if ((flags & SerialFlag.expires) !== 0) {
    expiresAtMs = readCounter(view, at);
    at += 8;
  }
  const operations: AppliedOperation[] = [];
  for (let left = view.getUint8(start + 2); left > 0; left--) {
    operations.push({
      id: readOperationId(view, at),
      stamp: { counter: readCounter(view, at + 16), node: view.getUint16(at + 24, true) },
      verdict: view.getUint8(at + 26),
    });
    at += APPLIED_OPERATION_BYTES;
  }
  return {
    promised,
    accepted,
    isVote: (flags & SerialFlag.vote) !== 0,
    content: view.getUint8(start + 1),
    stamp,
    expiresAtMs,
    forgotten,
    operations,
    value: at === end ? NO_VALUE : Uint8Array.prototype.slice.call(bytes, at, end),
  };
}

/** Whether `[start, end)` is a state that this version understands. */
export function isSerialState(view: DataView, start: number, end: number, counter: number): boolean {
  if (end - start < SERIAL_FIXED_BYTES) return false;
  const flags = view.getUint8(start);
  const content = view.getUint8(start + 1);
  const operations = view.getUint8(start + 2);
  if ((flags & ~FLAGS_KNOWN) !== 0 || content > SerialContent.tombstone || view.getUint8(start + 3) !== 0) return false;
  if (operations > SERIAL_OPERATIONS_MAX) return false;
  if (counter === 0 && (view.getUint32(start + 4, true) !== 0 || (flags & SerialFlag.vote) !== 0)) return false;
  const isTwice = SerialFlag.forgotten | SerialFlag.forgottenToBallot;
  if ((flags & isTwice) === isTwice) return false;
  const valueAt = start + valueOffset(flags, operations);
  const isValue = content === SerialContent.value;
  if (valueAt > end || (!isValue && (valueAt !== end || (flags & SerialFlag.expires) !== 0))) return false;
  // Counters stay below 2^53, wherever they stand.
  let at = start + SERIAL_FIXED_BYTES;
  for (const flag of [SerialFlag.promise, SerialFlag.stamp, SerialFlag.forgotten, SerialFlag.expires]) {
    if ((flags & flag) === 0) continue;
    if (view.getUint32(at + 4, true) >>> 21 !== 0) return false;
    at += flag === SerialFlag.promise ? BALLOT_BYTES : flag === SerialFlag.stamp ? STAMP_BYTES : 8;
  }
  for (; at < valueAt; at += APPLIED_OPERATION_BYTES) {
    if (view.getUint32(at + 4, true) >>> 21 !== 0 || view.getUint32(at + 20, true) >>> 21 !== 0) return false;
  }
  return true;
}

/** From the body's start to its value. Hot, as are the accessors below: every lookup of a serial key reads them. */
export function serialValueOffset(view: DataView, start: number): number {
  return valueOffset(view.getUint8(start), view.getUint8(start + 2));
}
export function serialContent(view: DataView, start: number): number {
  return view.getUint8(start + 1);
}
export function serialStamp(view: DataView, start: number, counter: number, node: number): WireStamp {
  const flags = view.getUint8(start);
  if ((flags & SerialFlag.stamp) === 0) return { counter, node };
  const at = start + SERIAL_FIXED_BYTES + ((flags & SerialFlag.promise) === 0 ? 0 : BALLOT_BYTES);
  return { counter: stampCounter(view, at), node: stampNode(view, at) };
}
/** Unix milliseconds from which on the value counts as absent; 0: it never expires. */
export function serialExpiresAtMs(view: DataView, start: number): number {
  const flags = view.getUint8(start);
  if ((flags & SerialFlag.expires) === 0) return 0;
  return readCounter(view, start + valueOffset(flags, 0) - 8);
}
/** The ballot that the acceptor promised, of a state whose accepted ballot has this counter and node. */
export function serialPromised(view: DataView, start: number, counter: number, node: number): Ballot {
  if ((view.getUint8(start) & SerialFlag.promise) !== 0) return readBallot(view, start + SERIAL_FIXED_BYTES);
  return { counter, node, generation: view.getUint32(start + 4, true) };
}
export function serialIsVote(view: DataView, start: number): boolean {
  return (view.getUint8(start) & SerialFlag.vote) !== 0;
}

function valueOffset(flags: number, operations: number): number {
  return (
    SERIAL_FIXED_BYTES +
    ((flags & SerialFlag.promise) === 0 ? 0 : BALLOT_BYTES) +
    ((flags & SerialFlag.stamp) === 0 ? 0 : STAMP_BYTES) +
    ((flags & SerialFlag.forgotten) === 0 ? 0 : 8) +
    ((flags & SerialFlag.expires) === 0 ? 0 : 8) +
    operations * APPLIED_OPERATION_BYTES
  );
}
