import {
  type Ballot,
  SerialContent,
  serialContent,
  serialExpiresAtMs,
  serialPromised,
  serialStamp,
  serialValueOffset,
  type WireStamp,
} from '@memdb/protocol';
import { contentHash } from '../model/content-hash.js';
import {
  expiryBytes,
  isUnderstood,
  kindOf,
  lengthOf,
  paddedRecordBytes,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordCounter,
  recordExpiresAtMs,
  recordKeyLength,
  recordKindLength,
  recordLsnLow,
  recordNode,
  recordSalt,
} from '../model/record.js';
import { BATCH_HEADER_BYTES, provenOffsetOf, provenSegmentOf } from './batch-header.js';
import { isBehind } from './chain-reader.js';
import { ProofScan } from './proof-scan.js';
import { COPY_ID_FIRST, readSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.js';

/** Zeros behind the last record. */
const TERMINATOR_BYTES = 12;

export interface LogProblem {
  /**
   * `damage`: something that was durable does not verify. `torn-tail`: the last records do not verify and nothing in this
   * file says that they ever were durable, as after a crash; a start cuts them.
   */
  readonly kind: 'damage' | 'torn-tail';
  readonly offset: number;
  readonly reason: string;
}

/** What a segment file holds, by itself. */
export interface SegmentReport {
  /** Undefined for a prepared file that was not used yet, and for one whose header is damaged. */
  readonly header: SegmentHeader | undefined;
  /** Records in the chain, batch headers not counted. */
  readonly records: number;
  readonly batches: number;
  /** Where the chain ends. */
  readonly bytes: number;
  /** 0 when there are no records. */
  readonly firstLsn: number;
  readonly lastLsn: number;
  readonly problem?: LogProblem;
}

/** One record of a segment, described. Keys and values are views of the file's bytes. */
export interface DescribedRecord {
  readonly offset: number;
  /** Padded. */
  readonly bytes: number;
  readonly kind: 'batch' | 'value' | 'tombstone' | 'meta' | 'serial' | 'counterEntry';
  /** Of a batch header: that of the record behind it. */
  readonly lsn: number;
  readonly counter: number;
  readonly node: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Of a serial key: counter and node are its content's stamp, and it may have no value. */
  readonly serial?: {
    /** Counter 0: a bare promise over the plain version that stands here. */
    readonly accepted: WireStamp;
    readonly hasValue: boolean;
    /** No lower ballot is answered any more. */
    readonly promised: Ballot;
  };
  /** Unix milliseconds from which on the value counts as absent; undefined when it never does. */
  readonly expiresAtMs?: number;
  /** Of a batch header: everything before this point was durable when the batch was written. */
  readonly proven?: { readonly segment: number; readonly offset: number };
}

const KIND_NAMES: readonly (DescribedRecord['kind'] | undefined)[] = [
  undefined,
  'batch',
  'value',
  'tombstone',
  'meta',
  'serial',
  'counterEntry',
];

/**
 * Checks the bytes of a segment file: behind `memdb log verify`. It sees one file only: whether a torn tail is damage
 * because a later segment follows, only the start of the node can tell.
 */
export function verifySegment(bytes: Uint8Array, compressed: boolean = false): SegmentReport {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const empty = { header: undefined, records: 0, batches: 0, bytes: 0, firstLsn: 0, lastLsn: 0 };
  const header = headerOf(view);
  if (header === 'unused') return empty;
  if (typeof header === 'string') return { ...empty, problem: { kind: 'damage', offset: 0, reason: header } };
  let records = 0;
  let batches = 0;
  let end = SEGMENT_HEADER_BYTES;
  let lastLsn = header.firstLsn - 1;
  for (const record of walk(bytes, view, header)) {
    if (record.kind === 'batch') batches++;
    else records++;
    if (record.kind !== 'batch') lastLsn = record.lsn;
    end = record.offset + record.bytes;
  }
  const problem = problemAt(view, header, end, compressed);
  return {
    header,
    records,
    batches,
    bytes: end,
    firstLsn: records === 0 ? 0 : header.firstLsn,
    lastLsn: records === 0 ? 0 : lastLsn,
    ...(problem && { problem }),
  };
}

/** Describes the records of a segment file, batch headers included, up to the first that does not verify. */
export function* dumpSegment(bytes: Uint8Array): Generator<DescribedRecord, void> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = headerOf(view);
  if (typeof header === 'object') yield* walk(bytes, view, header);
}

/** Describes the record at `offset`, which `dumpSegment` has found before; undefined when it does not verify any more. */
export function describeRecordAt(bytes: Uint8Array, offset: number): DescribedRecord | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = headerOf(view);
  if (typeof header !== 'object') return undefined;
  const lsn = header.firstLsn + ((recordLsnLow(view, offset) - header.firstLsn) >>> 0);
  return describe(bytes, view, header, offset, lsn);
}

/** The header, `unused`, or why it cannot be one. */
function headerOf(view: DataView): SegmentHeader | string {
  if (view.byteLength < SEGMENT_HEADER_BYTES) return 'the file ends inside the header';
  const header = readSegmentHeader(view);
  if (header === 'damaged') return 'this is no segment, or its header is damaged';
  if (header === 'unsupported') return 'a later version wrote this file';
  return header;
}

function* walk(bytes: Uint8Array, view: DataView, header: SegmentHeader): Generator<DescribedRecord, void> {
  let lsn = header.firstLsn;
  let offset = SEGMENT_HEADER_BYTES;
  while (offset + RECORD_HEADER_BYTES <= bytes.length) {
    const record = describe(bytes, view, header, offset, lsn);
    if (record === undefined) return;
    yield record;
    offset += record.bytes;
    lsn = record.kind === 'batch' ? record.lsn : record.lsn + 1;
  }
}

/** The LSN of the record at `offset`, where `lsn` would come next: records keep theirs in a copy, so it has gaps. */
function lsnAt(view: DataView, header: SegmentHeader, offset: number, lsn: number): number | undefined {
  const lsnLow = recordLsnLow(view, offset);
  if (lsnLow === lsn >>> 0) return lsn;
  const own = header.firstLsn + ((lsnLow - header.firstLsn) >>> 0);
  return header.id >= COPY_ID_FIRST && own > lsn ? own : undefined;
}

function describe(
  bytes: Uint8Array,
  view: DataView,
  header: SegmentHeader,
  offset: number,
  nextLsn: number,
): DescribedRecord | undefined {
  const lsn = lsnAt(view, header, offset, nextLsn);
  const kindLength = recordKindLength(view, offset);
  const length = lengthOf(kindLength);
  const size = paddedRecordBytes(length);
  const lsnLow = recordLsnLow(view, offset);
  if (length < RECORD_HEADER_BYTES || size > bytes.length - offset || lsn === undefined) return undefined;
  const checksum = contentHash(view, offset + 8, offset + size) + recordSalt(header.generation, offset, lsnLow);
  const kind = KIND_NAMES[kindOf(kindLength)];
  const keyEnd = offset + RECORD_HEADER_BYTES + recordKeyLength(view, offset);
  const sound = view.getInt32(offset + 4, true) === (checksum | 0) && keyEnd <= offset + length;
  if (!sound || kind === undefined || !isUnderstood(view, offset)) return undefined;
  if (kindOf(kindLength) === RecordKind.serial) return describeSerial(bytes, view, offset, size, keyEnd, lsn);
  const expiresAtMs = recordExpiresAtMs(view, offset);
  const described = {
    offset,
    bytes: size,
    kind,
    lsn,
    counter: recordCounter(view, offset),
    node: recordNode(view, offset),
    key: bytes.subarray(offset + RECORD_HEADER_BYTES, keyEnd),
    value: bytes.subarray(keyEnd + expiryBytes(expiresAtMs), offset + length),
    ...(expiresAtMs !== 0 && { expiresAtMs }),
  };
  if (kindOf(kindLength) !== RecordKind.batchHeader || length !== BATCH_HEADER_BYTES) return described;
  return {
    ...described,
    value: new Uint8Array(0),
    proven: { segment: provenSegmentOf(view, offset), offset: provenOffsetOf(view, offset) },
  };
}

/** `keyEnd`: where the state begins, which was found sound. */
function describeSerial(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  size: number,
  keyEnd: number,
  lsn: number,
): DescribedRecord {
  const accepted = { counter: recordCounter(view, offset), node: recordNode(view, offset) };
  const stamp = serialStamp(view, keyEnd, accepted.counter, accepted.node);
  const expiresAtMs = serialExpiresAtMs(view, keyEnd);
  const end = offset + lengthOf(recordKindLength(view, offset));
  return {
    offset,
    bytes: size,
    kind: 'serial',
    lsn,
    counter: stamp.counter,
    node: stamp.node,
    key: bytes.subarray(offset + RECORD_HEADER_BYTES, keyEnd),
    value: bytes.subarray(keyEnd + serialValueOffset(view, keyEnd), end),
    serial: {
      accepted,
      hasValue: serialContent(view, keyEnd) === SerialContent.value,
      promised: serialPromised(view, keyEnd, accepted.counter, accepted.node),
    },
    ...(expiresAtMs !== 0 && { expiresAtMs }),
  };
}

function problemAt(view: DataView, header: SegmentHeader, end: number, compressed: boolean): LogProblem | undefined {
  const size = view.byteLength;
  // A compressed file holds a segment of the chain up to the end of its records.
  if (size !== header.capacity && !(compressed && end === size)) {
    return { kind: 'damage', offset: size, reason: `the file has ${size} bytes, its header says ${header.capacity}` };
  }
  if (header.id >= COPY_ID_FIRST) {
    if (end === size) return undefined;
    return { kind: 'damage', offset: end, reason: 'a record does not verify, and this file was durable as a whole' };
  }
  const rest = new ProofScan();
  rest.scan(view, end, size, header.generation);
  if (isBehind(rest.segment, rest.offset, header.id, end)) {
    return {
      kind: 'damage',
      offset: end,
      reason: 'a record does not verify, and a later batch says that it was durable',
    };
  }
  // Behind the zeros that end the chain lies what the file held in an earlier use.
  if (rest.sawBytes && (rest.segment !== 0 || !endsWithZeros(view, end)))
    return { kind: 'torn-tail', offset: end, reason: 'what follows does not verify and is not proven durable' };
  return undefined;
}

function endsWithZeros(view: DataView, end: number): boolean {
  for (let at = end; at < Math.min(end + TERMINATOR_BYTES, view.byteLength); at += 4) {
    if (view.getInt32(at, true) !== 0) return false;
  }
  return true;
}
