import { COUNTER_ENTRY_BYTES, type CounterEntryList } from './counter-entries.js';
import { MemDbError, ProtocolError } from './errors.js';

/**
 * Bodies of the frames about counters (PROTOCOL.md, "Counters"). Offsets are from the start of the body.
 *
 * counterAdd     0 u8 consistency · 1 u8 options · 2 u16 name bytes · 4 name · u64 amount
 *   reply        stamp
 * counterGet     as a get
 *   reply        0 i64 value
 * counterEntries 0 u16 0 · 2 u16 name bytes · 4 name
 *   reply        0 u16 entries · 2 u16 0 · 4 entries of 36 bytes
 * counterMerge   0 u16 entries · 2 u16 name bytes · 4 entries of 36 bytes · name
 *   reply        empty
 */
const COUNTER_AMOUNT_BYTES = 8;
export const COUNTER_VALUE_BYTES = 8;
export const COUNTER_LIST_HEADER_BYTES = 4;
/** Where a name begins in a counterAdd, a counterGet and a counterEntries. */
const NAME_OFFSET = 4;

/** Options of a counterAdd: the amount is subtracted. */
const COUNTER_SUBTRACTS = 1;

/** The largest amount that an add may carry: 2^63, whose negation is still a value. */
const AMOUNT_MAX: bigint = 2n ** 63n;

/**
 * The body of a counterAdd of `amount`; a negative one is subtracted. Throws MemDbError `counter-overflow`, not-applied, for
 * an amount beyond the 64-bit range.
 *
 * @example encodeCounterAdd(Consistency.one, new TextEncoder().encode('hits'), 1n);
 */
export function encodeCounterAdd(consistency: number, name: Uint8Array, amount: bigint): Uint8Array {
  const magnitude = amount < 0n ? -amount : amount;
  if (magnitude > AMOUNT_MAX) {
    throw new MemDbError('counter-overflow', `${amount} does not fit into the 64-bit range of a counter.`);
  }
  const body = new Uint8Array(NAME_OFFSET + name.length + COUNTER_AMOUNT_BYTES);
  const view = new DataView(body.buffer);
  view.setUint32(0, consistency | ((amount < 0n ? COUNTER_SUBTRACTS : 0) << 8) | (name.length << 16), true);
  body.set(name, NAME_OFFSET);
  view.setBigUint64(NAME_OFFSET + name.length, magnitude, true);
  return body;
}

/** The body of a counterGet. */
export function encodeCounterGet(consistency: number, name: Uint8Array): Uint8Array {
  const body = new Uint8Array(NAME_OFFSET + name.length);
  new DataView(body.buffer).setUint32(0, consistency | (name.length << 16), true);
  body.set(name, NAME_OFFSET);
  return body;
}

/** A counterAdd whose lengths were checked. */
export interface CounterAdd {
  readonly consistency: number;
  readonly subtracts: boolean;
  readonly amountHigh: number;
  readonly amountLow: number;
  readonly nameStart: number;
  readonly nameLength: number;
}

/** The body `[body, end)` of a counterAdd. Throws ProtocolError when no client sends it. */
export function decodeCounterAdd(view: DataView, body: number, end: number): CounterAdd {
  if (end - body < NAME_OFFSET) throw new ProtocolError('bad-request', body, 'counterAdd is cut');
  const options = view.getUint8(body + 1);
  const nameLength = view.getUint16(body + 2, true);
  const nameStart = body + NAME_OFFSET;
  const amountAt = nameStart + nameLength;
  if (amountAt + COUNTER_AMOUNT_BYTES !== end) {
    throw new ProtocolError('bad-request', body, `name of ${nameLength} bytes in a body of ${end - body}`);
  }
  const amountLow = view.getUint32(amountAt, true);
  const amountHigh = view.getUint32(amountAt + 4, true);
  if ((options & ~COUNTER_SUBTRACTS) !== 0) throw new ProtocolError('bad-request', body + 1, `options ${options}`);
  if (amountHigh > 0x80000000 || (amountHigh === 0x80000000 && amountLow !== 0)) {
    throw new ProtocolError('bad-request', amountAt, 'amount beyond 2^63');
  }
  return { consistency: view.getUint8(body), subtracts: options !== 0, amountHigh, amountLow, nameStart, nameLength };
}

/** The value in the reply `[body, end)` to a counterGet. Throws ProtocolError. */
export function decodeCounterValue(view: DataView, body: number, end: number): bigint {
  if (end - body !== COUNTER_VALUE_BYTES) throw new ProtocolError('bad-request', body, `value of ${end - body} bytes`);
  return view.getBigInt64(body, true);
}

/** Where the name of a counterEntries request `[body, end)` lies. Throws ProtocolError. */
export function decodeCounterName(view: DataView, body: number, end: number): { start: number; length: number } {
  if (end - body < COUNTER_LIST_HEADER_BYTES) throw new ProtocolError('bad-request', body, 'counterEntries is cut');
  const length = view.getUint16(body + 2, true);
  const start = body + COUNTER_LIST_HEADER_BYTES;
  if (view.getUint16(body, true) !== 0 || length === 0 || start + length !== end) {
    throw new ProtocolError('bad-request', body, `name of ${length} bytes in a body of ${end - body}`);
  }
  return { start, length };
}

/** Reads the entries of a counterEntries reply `[body, end)`. Throws ProtocolError. */
export function readCounterEntries(view: DataView, body: number, end: number, into: CounterEntryList): void {
  if (end - body < COUNTER_LIST_HEADER_BYTES) throw new ProtocolError('bad-request', body, 'list is cut');
  const count = view.getUint16(body, true);
  const start = body + COUNTER_LIST_HEADER_BYTES;
  if (view.getUint16(body + 2, true) !== 0 || start + count * COUNTER_ENTRY_BYTES !== end) {
    throw new ProtocolError('bad-request', body, `${count} entries in a body of ${end - body}`);
  }
  into.read(view, start, count);
}

/** Reads the entries of a counterMerge `[body, end)`, and says where the name lies. Throws ProtocolError. */
export function readCounterMerge(
  view: DataView,
  body: number,
  end: number,
  into: CounterEntryList,
): { start: number; length: number } {
  if (end - body < COUNTER_LIST_HEADER_BYTES) throw new ProtocolError('bad-request', body, 'counterMerge is cut');
  const count = view.getUint16(body, true);
  const length = view.getUint16(body + 2, true);
  const start = body + COUNTER_LIST_HEADER_BYTES + count * COUNTER_ENTRY_BYTES;
  if (count === 0 || length === 0 || start + length !== end) {
    throw new ProtocolError('bad-request', body, `${count} entries and a name of ${length} bytes in ${end - body}`);
  }
  into.read(view, body + COUNTER_LIST_HEADER_BYTES, count);
  return { start, length };
}

/** Bytes of the body of a counterEntries reply, or with the name's of a counterMerge. */
export function counterListBytes(list: CounterEntryList, nameLength: number): number {
  return COUNTER_LIST_HEADER_BYTES + list.count * COUNTER_ENTRY_BYTES + nameLength;
}

/** Writes the list, and behind it the name `name[nameStart, +nameLength)`, if there is one. */
export function writeCounterList(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  list: CounterEntryList,
  name: Uint8Array,
  nameStart: number,
  nameLength: number,
): void {
  view.setUint32(at, list.count | (nameLength << 16), true);
  bytes.set(list.encoded, at + COUNTER_LIST_HEADER_BYTES);
  const nameAt = at + COUNTER_LIST_HEADER_BYTES + list.count * COUNTER_ENTRY_BYTES;
  bytes.set(name.subarray(nameStart, nameStart + nameLength), nameAt);
}
