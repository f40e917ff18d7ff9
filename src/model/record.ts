import { isSerialState } from '@memdb/protocol';

/**
 * The record: the unit of the log in memory, on disk and on the wire (docs/log-format.md). Little-endian, 4-byte
 * aligned:
 *
 *      0 u32 lsnLow       low half of the record's LSN
 *      4 u32 checksum     contentHash of bytes 8 to the padded end, plus salt, modulo 2^32
 *      8 u32 kindLength   kind in the top 4 bits, bytes of header, key and value in the low 28; 0 ends the chain
 *     12 u16 keyLength
 *     14 u16 node         node number of the stamp
 *     16 u32 counterLow
 *     20 u32 counterHigh  low 21 bits; the upper 11 are flags
 *     24 key, u64 deadline if the record expires, value, zero bytes up to a multiple of 4
 *
 * Accessors take a view and the record's offset; they are hot: `test/micro/storage.ts` watches them.
 */
export const RECORD_HEADER_BYTES = 24;
/** A record's length has 28 bits. */
export const RECORD_BYTES_MAX: number = 2 ** 28 - 4;

/** Kinds of records. Numbers are part of the format and are never reused. */
export const RecordKind = {
  batchHeader: 1,
  value: 2,
  tombstone: 3,
  /** The node's own state; the key is its name. Never sent to a peer. */
  meta: 4,
  /** What an acceptor knows of a serial key; its stamp is that of the accepted ballot (`model/serial-record.ts`). */
  serial: 5,
  /** One entry of a counter (`counter-entry.ts`). */
  counterEntry: 6,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** Whether a record of this kind is a version of a key. Hot. */
export function isVersion(kind: number): boolean {
  return kind === RecordKind.value || kind === RecordKind.tombstone || kind === RecordKind.serial;
}

/**
 * Whether the index leads to records of this kind, and peers exchange them: versions of keys, and entries of counters.
 * Everything else is a node's own affair. Hot.
 */
export function isData(kind: number): boolean {
  return isVersion(kind) || kind === RecordKind.counterEntry;
}

/** Flags of records. A reader refuses a flag that it does not know, and one on a kind that cannot carry it. */
export const RecordFlag = {
  /** Of a value: in front of its bytes stands an absolute deadline, u64 Unix milliseconds, from which on it is absent. */
  expires: 1,
} as const;

/** Bytes of the deadline in front of the value of a record that expires. */
export const EXPIRY_BYTES = 8;

const LENGTH_MASK = 0x0fffffff;
const TWO_32 = 4294967296;
const COUNTER_HIGH_BITS = 21;
const COUNTER_HIGH_MASK: number = 2 ** COUNTER_HIGH_BITS - 1;

/** Bytes that a record takes in a segment, from its unpadded length. */
export function paddedRecordBytes(bytes: number): number {
  return (bytes + 3) & ~3;
}

/** Bytes that a record of such a key and value takes in a segment; a deadline counts as part of the value. */
export function recordBytes(keyLength: number, valueLength: number): number {
  return (RECORD_HEADER_BYTES + keyLength + valueLength + 3) & ~3;
}

/** Bytes in front of a value with this deadline; 0 stands for none. */
export function expiryBytes(expiresAtMs: number): number {
  return expiresAtMs === 0 ? 0 : EXPIRY_BYTES;
}

export function recordLsnLow(view: DataView, offset: number): number {
  return view.getUint32(offset, true);
}
export function recordChecksum(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true);
}
/** Kind and length in one word; 0 where the chain ends. */
export function recordKindLength(view: DataView, offset: number): number {
  return view.getUint32(offset + 8, true);
}
export function kindOf(kindLength: number): number {
  return kindLength >>> 28;
}
/** Bytes of header, key and value, unpadded. */
export function lengthOf(kindLength: number): number {
  return kindLength & LENGTH_MASK;
}
export function recordKeyLength(view: DataView, offset: number): number {
  return view.getUint16(offset + 12, true);
}
export function recordNode(view: DataView, offset: number): number {
  return view.getUint16(offset + 14, true);
}
export function recordCounter(view: DataView, offset: number): number {
  return view.getUint32(offset + 16, true) + (view.getUint32(offset + 20, true) & COUNTER_HIGH_MASK) * TWO_32;
}
/** Flags beside the counter (`RecordFlag`). */
export function recordFlags(view: DataView, offset: number): number {
  return view.getUint32(offset + 20, true) >>> COUNTER_HIGH_BITS;
}

/** Bytes behind a counter's name in the key of an entry, and of its value (`counter-entry.ts`). */
export const ENTRY_ID_BYTES = 10;
export const ENTRY_VALUE_BYTES = 16;

/** Whether an entry of a counter, stamped by `node`, may have this key and a value of so many bytes. */
export function isEntryShape(
  view: DataView,
  keyStart: number,
  keyLength: number,
  node: number,
  valueLength: number,
): boolean {
  if (keyLength <= ENTRY_ID_BYTES || valueLength !== ENTRY_VALUE_BYTES) return false;
  // The owner of an entry alone writes it.
  return view.getUint16(keyStart + keyLength - ENTRY_ID_BYTES, true) === node;
}

/** Whether this version understands the flags, and the shape, of a record whose lengths were checked. Hot. */
export function isUnderstood(view: DataView, offset: number): boolean {
  const flags = recordFlags(view, offset);
  const kindLength = recordKindLength(view, offset);
  const kind = kindOf(kindLength);
  if (flags === 0 && kind !== RecordKind.counterEntry && kind !== RecordKind.serial) return true;
  const keyLength = recordKeyLength(view, offset);
  if (kind === RecordKind.serial) {
    const end = offset + lengthOf(kindLength);
    const body = offset + RECORD_HEADER_BYTES + keyLength;
    return flags === 0 && isSerialState(view, body, end, recordCounter(view, offset));
  }
  if (kind === RecordKind.counterEntry) {
    const keyStart = offset + RECORD_HEADER_BYTES;
    const valueLength = lengthOf(kindLength) - RECORD_HEADER_BYTES - keyLength;
    return flags === 0 && isEntryShape(view, keyStart, keyLength, recordNode(view, offset), valueLength);
  }
  if (flags !== RecordFlag.expires || kindOf(kindLength) !== RecordKind.value) return false;
  return (
    lengthOf(kindLength) >= RECORD_HEADER_BYTES + keyLength + EXPIRY_BYTES &&
    isDeadline(readDeadline(view, offset + RECORD_HEADER_BYTES + keyLength))
  );
}

/**
 * The deadline of the version at `offset`, Unix milliseconds; 0 when it never expires. A copy of a version carries its
 * deadline along. Hot.
 */
export function recordExpiresAtMs(view: DataView, offset: number): number {
  if (recordFlags(view, offset) === 0) return 0;
  return readDeadline(view, offset + RECORD_HEADER_BYTES + recordKeyLength(view, offset));
}

/** Whether the version at `offset` is a value whose deadline has come at the wall clock's `nowMs`. */
export function isExpired(view: DataView, offset: number, nowMs: number): boolean {
  const expiresAtMs = recordExpiresAtMs(view, offset);
  return expiresAtMs !== 0 && expiresAtMs <= nowMs;
}

/** The last moment of ECMAScript's calendar, in the year 275760. */
const DEADLINE_MS_MAX = 8.64e15;

/** What a deadline may be: not 0, which stands for none, and not beyond the calendar. */
export function isDeadline(expiresAtMs: number): boolean {
  return expiresAtMs > 0 && expiresAtMs <= DEADLINE_MS_MAX;
}
/** The deadline of a value that was taken at the wall clock's `nowMs` and lives `ttlMs`. */
export function deadlineAfter(nowMs: number, ttlMs: number): number {
  // A wall clock may say anything; what it says must fit into a record.
  return Math.min(DEADLINE_MS_MAX, Math.max(1, Math.ceil(nowMs + ttlMs)));
}
export function readDeadline(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_32;
}
export function writeDeadline(view: DataView, at: number, expiresAtMs: number): void {
  const high = Math.floor(expiresAtMs / TWO_32);
  view.setUint32(at, expiresAtMs - high * TWO_32, true);
  view.setUint32(at + 4, high, true);
}

/** Writes bytes 8 to 24. `bytes` is the unpadded length. */
export function writeRecordHeader(
  view: DataView,
  offset: number,
  kind: number,
  bytes: number,
  keyLength: number,
  counter: number,
  node: number,
  flags: number,
): void {
  const high = Math.floor(counter / TWO_32);
  view.setUint32(offset + 8, (kind << 28) | bytes, true);
  view.setUint32(offset + 12, keyLength | (node << 16), true);
  view.setUint32(offset + 16, counter - high * TWO_32, true);
  view.setUint32(offset + 20, (high | (flags << COUNTER_HIGH_BITS)) >>> 0, true);
}

/**
 * What is added to the content hash: a record is valid only at its offset in its segment's generation and under its
 * LSN, since recycled memory and files hold old, valid records. It is linear, so a run that moves to another place
 * is given the difference of two salts and is not hashed again. The multipliers are odd: one flipped bit always shows.
 */
export function recordSalt(generation: number, offset: number, lsnLow: number): number {
  return (Math.imul(generation, 0x9e3779b1) + Math.imul(offset, 0x85ebca77) + Math.imul(lsnLow, 0xc2b2ae3d)) | 0;
}
