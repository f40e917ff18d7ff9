import { BodyReader } from './body-reader.js';
import { KEY_BYTES_HARD_MAX, PARTITIONS_MAX } from './limits.js';
import type { OutgoingBuffer } from './outgoing-buffer.js';
import { type WireStamp, writeStamp } from './stamp.js';

/**
 * Where a scan stands (PROTOCOL.md, "Scans"): partitions one after the other, within a partition by position, keys of
 * the same position by their bytes. It names no node and no place in memory, so any replica can go on from it.
 */
export interface ScanPlace {
  readonly partition: number;
  /** u32; `scanPosition` of the key hash. Everything below it is done. */
  readonly position: number;
  /** Keys at exactly this position up to this one are done too; empty: none of them is. */
  readonly after: Uint8Array;
}

/** A page as a client gets it. */
export interface ScanReply {
  /** Where the next page begins; undefined when the scan is at its end. */
  readonly next: ScanPlace | undefined;
  readonly keys: Uint8Array[];
}

/** How far a replica's page reaches. */
export const ScanReach = {
  /** Everything below `position`. */
  position: 0,
  /** Everything up to its last entry. */
  lastEntry: 1,
  /** The partition to its end. */
  end: 2,
} as const;

/** One key in a replica's page. */
export interface ScanEntry {
  readonly key: Uint8Array;
  readonly absent: boolean;
  /** Of a serial key: it beats all plain versions, and its stamp is that of the ballot in which it was accepted. */
  readonly serial: boolean;
  readonly stamp: WireStamp;
}

/** A page as one replica gives it to the node that drives the scan. */
export interface ReplicaPage {
  readonly reach: number;
  readonly position: number;
  /** Deletions at or below it are purged here: a key that the page does not hold counts as deleted with this stamp. */
  readonly floor: WireStamp;
  readonly entries: ScanEntry[];
}

const REQUEST_FIXED_BYTES = 12;
const REPLY_FIXED_BYTES = 16;
/** reach 1 + zero 3 + position 4 + entries 4 + floor 12. */
export const REPLICA_PAGE_FIXED_BYTES = 24;
/** key length 2 + absent 1 + serial 1 + stamp 12. */
export const SCAN_ENTRY_FIXED_BYTES = 16;

/** Odd, so that mixing loses nothing: 2^32 divided by the golden ratio. */
export const SCAN_MIX = 0x9e3779b1;

/** Where a key with this hash comes in its partition: the mixed hash that the nodes' indexes are ordered by. */
export function scanPosition(hash: number): number {
  return Math.imul(hash, SCAN_MIX) >>> 0;
}

/** The body of a scan request. With `Flag.forwarded`, from a node, it asks for the page of that replica alone. */
export function encodeScanRequest(place: ScanPlace, prefix: Uint8Array): Uint8Array {
  const body = new Uint8Array(REQUEST_FIXED_BYTES + prefix.length + place.after.length);
  const view = new DataView(body.buffer);
  view.setUint32(0, place.partition, true);
  view.setUint32(4, place.position, true);
  view.setUint16(8, prefix.length, true);
  view.setUint16(10, place.after.length, true);
  body.set(prefix, REQUEST_FIXED_BYTES);
  body.set(place.after, REQUEST_FIXED_BYTES + prefix.length);
  return body;
}

/** Reads the body of a scan request. Throws ProtocolError. */
export function decodeScanRequest(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): { readonly place: ScanPlace; readonly prefix: Uint8Array } {
  const body = new BodyReader('scan', bytes, view, start, end);
  const partition = readPartition(body);
  const position = body.u32('position');
  const prefixBytes = readKeyLength(body, 'prefix');
  const afterBytes = readKeyLength(body, 'key');
  const prefix = body.bytes(prefixBytes, 'prefix');
  const after = body.bytes(afterBytes, 'key');
  body.finish();
  return { place: { partition, position, after }, prefix };
}

/** The body of the reply to a client: `keys` is what `appendScanKey` wrote. */
export function encodeScanReply(next: ScanPlace | undefined, count: number, keys: Uint8Array): Uint8Array {
  const afterBytes = next?.after.length ?? 0;
  const body = new Uint8Array(REPLY_FIXED_BYTES + afterBytes + keys.length);
  const view = new DataView(body.buffer);
  view.setUint8(0, next === undefined ? 1 : 0);
  view.setUint16(2, afterBytes, true);
  view.setUint32(4, next?.partition ?? 0, true);
  view.setUint32(8, next?.position ?? 0, true);
  view.setUint32(12, count, true);
  if (next !== undefined) body.set(next.after, REPLY_FIXED_BYTES);
  body.set(keys, REPLY_FIXED_BYTES + afterBytes);
  return body;
}

export function appendScanKey(out: OutgoingBuffer, key: Uint8Array): void {
  const at = out.reserve(2);
  out.view.setUint16(at, key.length, true);
  out.append(key);
}

/** Reads the body of the reply to a client. Throws ProtocolError. */
export function decodeScanReply(bytes: Uint8Array, view: DataView, start: number, end: number): ScanReply {
  const body = new BodyReader('scan reply', bytes, view, start, end);
  const isEnd = body.u8('end of the scan') === 1;
  body.zeros(1);
  const afterBytes = readKeyLength(body, 'key');
  const partition = readPartition(body);
  const position = body.u32('position');
  const count = body.u32('number of keys');
  const after = body.bytes(afterBytes, 'key');
  const keys: Uint8Array[] = [];
  for (let index = 0; index < count; index++) keys.push(body.bytes(readKeyLength(body, 'key'), 'key'));
  body.finish();
  return { next: isEnd ? undefined : { partition, position, after }, keys };
}

/** Appends one entry of a replica's page; the key is `source[start, start + length)`. */
export function appendScanEntry(
  out: OutgoingBuffer,
  absent: boolean,
  serial: boolean,
  counter: number,
  node: number,
  source: Uint8Array,
  sourceView: DataView,
  start: number,
  length: number,
): void {
  const at = out.reserve(SCAN_ENTRY_FIXED_BYTES);
  out.view.setUint32(at, length | (absent ? 0x10000 : 0) | (serial ? 0x1000000 : 0), true);
  writeStamp(out.view, at + 4, counter, node);
  out.appendRange(source, sourceView, start, length);
}

/** The body of a replica's page: `entries` is what `appendScanEntry` wrote, `count` times. */
export function encodeReplicaPage(
  reach: number,
  position: number,
  floor: WireStamp,
  count: number,
  entries: Uint8Array,
): Uint8Array {
  const body = new Uint8Array(REPLICA_PAGE_FIXED_BYTES + entries.length);
  const view = new DataView(body.buffer);
  view.setUint32(0, reach, true);
  view.setUint32(4, position, true);
  view.setUint32(8, count, true);
  writeStamp(view, 12, floor.counter, floor.node);
  body.set(entries, REPLICA_PAGE_FIXED_BYTES);
  return body;
}

/** Reads the body of a replica's page; its keys lie in one copy of it. Throws ProtocolError. */
export function decodeReplicaPage(bytes: Uint8Array, view: DataView, start: number, end: number): ReplicaPage {
  const body = new BodyReader('scan page', bytes, view, start, end);
  const reach = body.u8('reach');
  body.zeros(3);
  if (reach > ScanReach.end) body.fail(`reach ${reach}`);
  const position = body.u32('position');
  const count = body.u32('number of entries');
  const floor = body.stamp();
  if (reach === ScanReach.lastEntry && count === 0) body.fail('a page without entries reaches to its last one');
  // Not `bytes.slice`: that of a Buffer shares its memory.
  const copy = Uint8Array.prototype.slice.call(bytes, start, end);
  const entries: ScanEntry[] = [];
  for (let index = 0; index < count; index++) {
    const keyBytes = readKeyLength(body, 'key');
    const absent = body.u8('absent') === 1;
    const serial = body.u8('serial') === 1;
    const stamp = body.stamp();
    const keyStart = body.skip(keyBytes, 'key') - start;
    entries.push({ key: copy.subarray(keyStart, keyStart + keyBytes), absent, serial, stamp });
  }
  body.finish();
  return { reach, position, floor, entries };
}

function readPartition(body: BodyReader): number {
  const partition = body.u32('partition');
  if (partition >= PARTITIONS_MAX) body.fail(`partition ${partition}`);
  return partition;
}

function readKeyLength(body: BodyReader, field: string): number {
  const length = body.u16(`length of a ${field}`);
  if (length > KEY_BYTES_HARD_MAX)
    body.fail(`${field} of ${length} bytes, no key is longer than ${KEY_BYTES_HARD_MAX}`);
  return length;
}
