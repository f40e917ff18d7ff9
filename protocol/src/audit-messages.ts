import { ProtocolError } from './errors.js';
import { readCounter, writeCounter } from './frame.js';
import { AUDIT_LIST_MAX, AUDIT_PARTITIONS_MAX } from './limits.js';
import { STAMP_BYTES, stampCounter, stampNode, writeStamp } from './stamp.js';

/**
 * Bodies of the frames with which replicas compare what they hold (PROTOCOL.md, "Audit"). Not hot: objects.
 *
 * floor        0 stamp · 12 u64 cutoff in Unix ms                                                     (20 bytes)
 * auditRoots   u32 count, then per partition u32 partition, floor, two words              (32 bytes)
 *   reply      u32 count, then u32 partition for each that differs here
 * auditTable   u32 partition, floor
 *   reply      u32 partition, floor, the table
 * auditList    u32 partition, floor, u32 bucket
 *   reply      u32 partition, floor, u32 bucket, u32 count, then versions
 * version      0 u32 key hash · 4 u64 counter · 12 u16 node · 14 u16 record kind                       (16 bytes)
 * auditFetch   u32 partition, u32 count, then versions
 *   reply      log records as in a streamRun at offset 0 of generation 0
 */
export const AUDIT_FLOOR_BYTES: number = STAMP_BYTES + 8;
export const AUDIT_VERSION_BYTES = 16;
const ROOT_BYTES: number = 4 + AUDIT_FLOOR_BYTES + 8;

/** How far a replica purged a partition: a stamp, and the deadline up to which expired values went too. */
export interface WireFloor {
  readonly counter: number;
  readonly node: number;
  readonly cutoffMs: number;
}

export interface AuditRoot {
  readonly partition: number;
  readonly floor: WireFloor;
  /** All buckets of the table combined. */
  readonly first: number;
  readonly second: number;
}

/** One version, by what identifies it. */
export interface AuditVersion {
  readonly hash: number;
  readonly counter: number;
  readonly node: number;
  readonly kind: number;
}

export interface AuditTableReply {
  readonly partition: number;
  readonly floor: WireFloor;
  readonly table: Int32Array;
}

export interface AuditListReply {
  readonly partition: number;
  readonly floor: WireFloor;
  readonly bucket: number;
  readonly versions: readonly AuditVersion[];
}

export function encodeAuditRoots(roots: readonly AuditRoot[]): Uint8Array {
  const { bytes, view } = body(4 + roots.length * ROOT_BYTES);
  view.setUint32(0, roots.length, true);
  let at = 4;
  for (const { partition, floor, first, second } of roots) {
    view.setUint32(at, partition, true);
    writeFloor(view, at + 4, floor);
    view.setInt32(at + 24, first, true);
    view.setInt32(at + 28, second, true);
    at += ROOT_BYTES;
  }
  return bytes;
}

/** Throws `ProtocolError` when the body is malformed, as all decoders here. */
export function decodeAuditRoots(view: DataView, start: number, end: number): AuditRoot[] {
  const count = countAt(view, start, end, AUDIT_PARTITIONS_MAX);
  mustEnd(start, 4 + count * ROOT_BYTES, end);
  const roots: AuditRoot[] = [];
  for (let at = start + 4; at < end; at += ROOT_BYTES) {
    roots.push({
      partition: view.getUint32(at, true),
      floor: readFloor(view, at + 4),
      first: view.getInt32(at + 24, true),
      second: view.getInt32(at + 28, true),
    });
  }
  return roots;
}

export function encodeAuditDiffering(partitions: readonly number[]): Uint8Array {
  const { bytes, view } = body(4 + partitions.length * 4);
  view.setUint32(0, partitions.length, true);
  for (const [index, partition] of partitions.entries()) view.setUint32(4 + index * 4, partition, true);
  return bytes;
}

export function decodeAuditDiffering(view: DataView, start: number, end: number): number[] {
  const count = countAt(view, start, end, AUDIT_PARTITIONS_MAX);
  mustEnd(start, 4 + count * 4, end);
  return Array.from({ length: count }, (_, index) => view.getUint32(start + 4 + index * 4, true));
}

export function encodeAuditTableRequest(partition: number, floor: WireFloor): Uint8Array {
  const { bytes, view } = body(4 + AUDIT_FLOOR_BYTES);
  view.setUint32(0, partition, true);
  writeFloor(view, 4, floor);
  return bytes;
}

export function decodeAuditTableRequest(
  view: DataView,
  start: number,
  end: number,
): { partition: number; floor: WireFloor } {
  mustEnd(start, 4 + AUDIT_FLOOR_BYTES, end);
  return { partition: view.getUint32(start, true), floor: readFloor(view, start + 4) };
}

export function encodeAuditTable({ partition, floor, table }: AuditTableReply): Uint8Array {
  const { bytes, view } = body(4 + AUDIT_FLOOR_BYTES + table.length * 4);
  view.setUint32(0, partition, true);
  writeFloor(view, 4, floor);
  for (let index = 0; index < table.length; index++) view.setInt32(24 + index * 4, table[index], true);
  return bytes;
}

/** `words` is the length of the table that both sides keep. */
export function decodeAuditTable(view: DataView, start: number, end: number, words: number): AuditTableReply {
  mustEnd(start, 4 + AUDIT_FLOOR_BYTES + words * 4, end);
  const table = new Int32Array(words);
  for (let index = 0; index < words; index++) table[index] = view.getInt32(start + 24 + index * 4, true);
  return { partition: view.getUint32(start, true), floor: readFloor(view, start + 4), table };
}

export function encodeAuditListRequest(partition: number, floor: WireFloor, bucket: number): Uint8Array {
  const { bytes, view } = body(8 + AUDIT_FLOOR_BYTES);
  view.setUint32(0, partition, true);
  writeFloor(view, 4, floor);
  view.setUint32(24, bucket, true);
  return bytes;
}

export function decodeAuditListRequest(
  view: DataView,
  start: number,
  end: number,
): { partition: number; floor: WireFloor; bucket: number } {
  mustEnd(start, 8 + AUDIT_FLOOR_BYTES, end);
  const bucket = view.getUint32(start + 24, true);
  return { partition: view.getUint32(start, true), floor: readFloor(view, start + 4), bucket };
}

export function encodeAuditList({ partition, floor, bucket, versions }: AuditListReply): Uint8Array {
  const { bytes, view } = body(32 + versions.length * AUDIT_VERSION_BYTES);
  view.setUint32(0, partition, true);
  writeFloor(view, 4, floor);
  view.setUint32(24, bucket, true);
  view.setUint32(28, versions.length, true);
  writeVersions(view, 32, versions);
  return bytes;
}

export function decodeAuditList(view: DataView, start: number, end: number): AuditListReply {
  const count = countAt(view, start + 28, end, AUDIT_LIST_MAX);
  mustEnd(start, 32 + count * AUDIT_VERSION_BYTES, end);
  return {
    partition: view.getUint32(start, true),
    floor: readFloor(view, start + 4),
    bucket: view.getUint32(start + 24, true),
    versions: readVersions(view, start + 32, end),
  };
}

export function encodeAuditFetch(partition: number, versions: readonly AuditVersion[]): Uint8Array {
  const { bytes, view } = body(8 + versions.length * AUDIT_VERSION_BYTES);
  view.setUint32(0, partition, true);
  view.setUint32(4, versions.length, true);
  writeVersions(view, 8, versions);
  return bytes;
}

export function decodeAuditFetch(
  view: DataView,
  start: number,
  end: number,
): { partition: number; versions: AuditVersion[] } {
  const count = countAt(view, start + 4, end, AUDIT_LIST_MAX);
  mustEnd(start, 8 + count * AUDIT_VERSION_BYTES, end);
  return { partition: view.getUint32(start, true), versions: readVersions(view, start + 8, end) };
}

function body(length: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(length);
  return { bytes, view: new DataView(bytes.buffer) };
}

export function writeFloor(view: DataView, at: number, floor: WireFloor): void {
  writeStamp(view, at, floor.counter, floor.node);
  writeCounter(view, at + STAMP_BYTES, floor.cutoffMs);
}

export function readFloor(view: DataView, at: number): WireFloor {
  return { counter: stampCounter(view, at), node: stampNode(view, at), cutoffMs: readCounter(view, at + STAMP_BYTES) };
}

function writeVersions(view: DataView, start: number, versions: readonly AuditVersion[]): void {
  let at = start;
  for (const { hash, counter, node, kind } of versions) {
    view.setUint32(at, hash, true);
    writeCounter(view, at + 4, counter);
    view.setUint32(at + 12, node | (kind << 16), true);
    at += AUDIT_VERSION_BYTES;
  }
}

function readVersions(view: DataView, start: number, end: number): AuditVersion[] {
  const versions: AuditVersion[] = [];
  for (let at = start; at < end; at += AUDIT_VERSION_BYTES) {
    versions.push({
      hash: view.getUint32(at, true),
      counter: readCounter(view, at + 4),
      node: view.getUint16(at + 12, true),
      kind: view.getUint16(at + 14, true),
    });
  }
  return versions;
}

function countAt(view: DataView, at: number, end: number, max: number): number {
  if (at + 4 > end) throw new ProtocolError('bad-request', at, 'an audit frame is cut');
  const count = view.getUint32(at, true);
  if (count > max)
    throw new ProtocolError('bad-request', at, `an audit frame names ${count}, at most ${max} are allowed`);
  return count;
}

function mustEnd(start: number, length: number, end: number): void {
  if (start + length !== end) {
    throw new ProtocolError('bad-request', start, `an audit body of ${end - start} bytes, expected ${length}`);
  }
}
