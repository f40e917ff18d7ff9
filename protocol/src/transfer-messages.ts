import { AUDIT_FLOOR_BYTES, readFloor, type WireFloor, writeFloor } from './audit-messages.js';
import { BodyReader } from './body-reader.js';
import { writeCounter } from './frame.js';
import { PARTITIONS_MAX, TRANSFER_LIST_MAX } from './limits.js';

/**
 * Bodies of the frames with which a partition moves to a new owner (PROTOCOL.md, "Transfers"). The new owner asks, so it
 * sets the pace. Not hot: objects.
 *
 * transferList      0 u32 partition · 4 floor · 24 u32 position · 28 buckets as 64 bits, two u32
 *   reply           0 u32 partition · 4 floor · 24 u8 1 at the end · 25 3 zero · 28 u32 next position · 32 u32 count,
 *                   then per version 20 bytes: u32 key hash, u64 counter, u16 node, u16 record kind, u32 record bytes
 * transferPage      0 u32 partition · 4 u32 position · 8 u16 last key bytes · 10 2 zero · 12 last key
 *   reply           0 u32 partition · 4 floor · 24 u8 1 at the end · 25 1 zero · 26 u16 last key bytes · 28 u32 position ·
 *                   32 last key, then log records as in a streamRun at offset 0 of generation 0
 * transferProgress  empty
 *   reply           0 u32 partitions to fill · 4 u32 of these filled · 8 u64 bytes taken · 16 u8 1 drained · 17 3 zero
 * holdings          0 u32 count, then u32 partition each; no reply
 */
const LIST_REQUEST_BYTES: number = 4 + AUDIT_FLOOR_BYTES + 12;
const LIST_HEADER_BYTES: number = 4 + AUDIT_FLOOR_BYTES + 12;
const LISTED_BYTES = 20;
const PAGE_HEADER_BYTES: number = 4 + AUDIT_FLOOR_BYTES + 8;
const PROGRESS_BYTES = 20;

/** Asks for what the replier holds in these buckets, from a position on. */
export interface TransferListRequest {
  readonly partition: number;
  /** Of the asker. */
  readonly floor: WireFloor;
  readonly position: number;
  /** Bit b of 64 asks for bucket b. */
  readonly bucketsLow: number;
  readonly bucketsHigh: number;
}

/** One version, by what identifies it, and how many bytes it is to fetch. */
export interface TransferVersion {
  readonly hash: number;
  readonly counter: number;
  readonly node: number;
  readonly kind: number;
  readonly bytes: number;
}

export interface TransferList {
  readonly partition: number;
  readonly floor: WireFloor;
  /** Where to go on; undefined when that was all. */
  readonly next: number | undefined;
  readonly versions: readonly TransferVersion[];
}

/** Where a page begins: behind the key `after`, which has that position, or at the position where there is none. */
export interface TransferPlace {
  readonly partition: number;
  readonly position: number;
  readonly after: Uint8Array;
}

export interface TransferPage {
  readonly partition: number;
  readonly floor: WireFloor;
  /** Undefined when that was all. */
  readonly next: TransferPlace | undefined;
  /** Records: `bytes[recordsStart, end)` of the frame. */
  readonly recordsStart: number;
}

/** How far a node is with the pending change. */
export interface TransferProgress {
  /** Partitions of which it becomes an owner, or stays one while others change. */
  readonly partitions: number;
  readonly filled: number;
  readonly bytesTaken: number;
  /** It has handed over all that it had as a former owner. */
  readonly isDrained: boolean;
}

export function encodeTransferListRequest(request: TransferListRequest): Uint8Array {
  const { bytes, view } = body(LIST_REQUEST_BYTES);
  view.setUint32(0, request.partition, true);
  writeFloor(view, 4, request.floor);
  view.setUint32(24, request.position, true);
  view.setUint32(28, request.bucketsLow, true);
  view.setUint32(32, request.bucketsHigh, true);
  return bytes;
}

/** Throws `ProtocolError` when the body is malformed, as all decoders here. */
export function decodeTransferListRequest(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): TransferListRequest {
  const reader = new BodyReader('transferList', bytes, view, start, end);
  const request = {
    partition: reader.u32('partition'),
    floor: floorOf(reader, view),
    position: reader.u32('position'),
    bucketsLow: reader.u32('buckets'),
    bucketsHigh: reader.u32('buckets'),
  };
  reader.finish();
  return request;
}

export function encodeTransferList({ partition, floor, next, versions }: TransferList): Uint8Array {
  const { bytes, view } = body(LIST_HEADER_BYTES + versions.length * LISTED_BYTES);
  view.setUint32(0, partition, true);
  writeFloor(view, 4, floor);
  view.setUint8(24, next === undefined ? 1 : 0);
  view.setUint32(28, next ?? 0, true);
  view.setUint32(32, versions.length, true);
  let at = LIST_HEADER_BYTES;
  for (const version of versions) {
    view.setUint32(at, version.hash, true);
    writeCounter(view, at + 4, version.counter);
    view.setUint16(at + 12, version.node, true);
    view.setUint16(at + 14, version.kind, true);
    view.setUint32(at + 16, version.bytes, true);
    at += LISTED_BYTES;
  }
  return bytes;
}

export function decodeTransferList(bytes: Uint8Array, view: DataView, start: number, end: number): TransferList {
  const reader = new BodyReader('answer to transferList', bytes, view, start, end);
  const partition = reader.u32('partition');
  const floor = floorOf(reader, view);
  const isEnd = reader.flag('end');
  reader.zeros(3);
  const position = reader.u32('next position');
  const count = reader.u32('count');
  if (count > TRANSFER_LIST_MAX || count * LISTED_BYTES !== end - reader.at) reader.fail(`${count} versions`);
  const versions = Array.from(
    { length: count },
    (): TransferVersion => ({
      hash: reader.u32('key hash'),
      counter: reader.u64('counter'),
      node: reader.u16('node'),
      kind: reader.u16('kind'),
      bytes: reader.u32('record bytes'),
    }),
  );
  return { partition, floor, next: isEnd ? undefined : position, versions };
}

export function encodeTransferPageRequest({ partition, position, after }: TransferPlace): Uint8Array {
  const { bytes, view } = body(12 + after.length);
  view.setUint32(0, partition, true);
  view.setUint32(4, position, true);
  view.setUint16(8, after.length, true);
  bytes.set(after, 12);
  return bytes;
}

export function decodeTransferPageRequest(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): TransferPlace {
  const reader = new BodyReader('transferPage', bytes, view, start, end);
  const partition = reader.u32('partition');
  const position = reader.u32('position');
  const length = reader.u16('last key bytes');
  reader.zeros(2);
  const place = { partition, position, after: reader.bytes(length, 'last key') };
  reader.finish();
  return place;
}

export function encodeTransferPage(
  partition: number,
  floor: WireFloor,
  next: TransferPlace | undefined,
  records: Uint8Array,
): Uint8Array {
  const after = next?.after ?? new Uint8Array(0);
  const { bytes, view } = body(PAGE_HEADER_BYTES + after.length + records.length);
  view.setUint32(0, partition, true);
  writeFloor(view, 4, floor);
  view.setUint8(24, next === undefined ? 1 : 0);
  view.setUint16(26, after.length, true);
  view.setUint32(28, next?.position ?? 0, true);
  bytes.set(after, PAGE_HEADER_BYTES);
  bytes.set(records, PAGE_HEADER_BYTES + after.length);
  return bytes;
}

/** What stands behind `recordsStart` is not looked at here: the log verifies it. */
export function decodeTransferPage(bytes: Uint8Array, view: DataView, start: number, end: number): TransferPage {
  const reader = new BodyReader('answer to transferPage', bytes, view, start, end);
  const partition = reader.u32('partition');
  const floor = floorOf(reader, view);
  const isEnd = reader.flag('end');
  reader.zeros(1);
  const length = reader.u16('last key bytes');
  const position = reader.u32('position');
  const after = reader.bytes(length, 'last key');
  if (isEnd && (length !== 0 || position !== 0)) reader.fail('a place behind the end');
  return { partition, floor, next: isEnd ? undefined : { partition, position, after }, recordsStart: reader.at };
}

export function encodeTransferProgress(progress: TransferProgress): Uint8Array {
  const { bytes, view } = body(PROGRESS_BYTES);
  view.setUint32(0, progress.partitions, true);
  view.setUint32(4, progress.filled, true);
  writeCounter(view, 8, progress.bytesTaken);
  view.setUint8(16, progress.isDrained ? 1 : 0);
  return bytes;
}

export function decodeTransferProgress(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): TransferProgress {
  const reader = new BodyReader('answer to transferProgress', bytes, view, start, end);
  const progress = {
    partitions: reader.u32('partitions'),
    filled: reader.u32('filled partitions'),
    bytesTaken: reader.u64('bytes'),
    isDrained: reader.flag('drained'),
  };
  reader.zeros(3);
  reader.finish();
  if (progress.filled > progress.partitions) reader.fail('more is filled than there is to fill');
  return progress;
}

export function encodeHoldings(partitions: readonly number[]): Uint8Array {
  const { bytes, view } = body(4 + partitions.length * 4);
  view.setUint32(0, partitions.length, true);
  for (const [index, partition] of partitions.entries()) view.setUint32(4 + index * 4, partition, true);
  return bytes;
}

export function decodeHoldings(bytes: Uint8Array, view: DataView, start: number, end: number): number[] {
  const reader = new BodyReader('holdings', bytes, view, start, end);
  const count = reader.u32('count');
  if (count > PARTITIONS_MAX || count * 4 !== end - reader.at) reader.fail(`${count} partitions`);
  return Array.from({ length: count }, () => reader.u32('partition'));
}

function floorOf(reader: BodyReader, view: DataView): WireFloor {
  return readFloor(view, reader.skip(AUDIT_FLOOR_BYTES, 'floor'));
}

function body(length: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(length);
  return { bytes, view: new DataView(bytes.buffer) };
}
