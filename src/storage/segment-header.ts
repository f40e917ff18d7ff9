import { contentHash } from '../model/content-hash.js';

/** First byte behind the segment's header. */
export const SEGMENT_HEADER_BYTES = 64;
const LOG_FORMAT_VERSION = 1;
/**
 * Ids from here on belong to segments that were copied together from others and count only while the manifest names
 * them. All others follow each other without a gap, so that a file that was lost is missed.
 */
export const COPY_ID_FIRST = 0x80000000;

const MAGIC_LOW = 0x444d454d; // "MEMD"
const MAGIC_HIGH = 0x474f4c42; // "BLOG"
const CHECKSUM_AT = 60;
const TWO_32 = 4294967296;

/** What the first 64 bytes of a segment say (docs/log-format.md, "Segment header"). */
export interface SegmentHeader {
  readonly id: number;
  readonly generation: number;
  /** LSN of the first record. */
  readonly firstLsn: number;
  /** Bytes of the file. */
  readonly capacity: number;
  /** The segment before it in the chain and where that one ends; 0 and 0 for the first. */
  readonly previousId: number;
  readonly previousEnd: number;
  /** Keys in the index when the segment was begun: a start makes its tables for so many. Nothing else depends on it. */
  readonly keysHint: number;
}

export function writeSegmentHeader(view: DataView, header: SegmentHeader): void {
  const high = Math.floor(header.firstLsn / TWO_32);
  view.setUint32(0, MAGIC_LOW, true);
  view.setUint32(4, MAGIC_HIGH, true);
  view.setUint32(8, LOG_FORMAT_VERSION, true);
  view.setUint32(12, 0, true);
  view.setUint32(16, header.id, true);
  view.setUint32(20, header.generation, true);
  view.setUint32(24, header.firstLsn - high * TWO_32, true);
  view.setUint32(28, high, true);
  view.setUint32(32, header.capacity, true);
  view.setUint32(36, header.previousId, true);
  view.setUint32(40, header.previousEnd, true);
  view.setUint32(44, header.keysHint, true);
  for (let at = 48; at < CHECKSUM_AT; at += 4) view.setUint32(at, 0, true);
  view.setInt32(CHECKSUM_AT, contentHash(view, 0, CHECKSUM_AT), true);
}

/** The segment before this one in the chain, and where that one ends. */
export function previousOf(view: DataView): { readonly id: number; readonly end: number } {
  return { id: view.getUint32(36, true), end: view.getUint32(40, true) };
}

/**
 * The header in the first 64 bytes; `unused` when they are all zero, `damaged` when the checksum does not match, and
 * `unsupported` when it matches but a later version wrote it.
 */
export function readSegmentHeader(view: DataView): SegmentHeader | 'unused' | 'damaged' | 'unsupported' {
  let anything = 0;
  for (let at = 0; at < SEGMENT_HEADER_BYTES; at += 4) anything |= view.getInt32(at, true);
  if (anything === 0) return 'unused';
  const sound =
    view.getUint32(0, true) === MAGIC_LOW &&
    view.getUint32(4, true) === MAGIC_HIGH &&
    view.getInt32(CHECKSUM_AT, true) === contentHash(view, 0, CHECKSUM_AT);
  if (!sound) return 'damaged';
  if (view.getUint32(8, true) !== LOG_FORMAT_VERSION || view.getUint32(12, true) !== 0) return 'unsupported';
  return {
    id: view.getUint32(16, true),
    generation: view.getUint32(20, true),
    firstLsn: view.getUint32(24, true) + view.getUint32(28, true) * TWO_32,
    capacity: view.getUint32(32, true),
    previousId: view.getUint32(36, true),
    previousEnd: view.getUint32(40, true),
    keysHint: view.getUint32(44, true),
  };
}

/** Bytes of the file, as the header in the first 64 bytes says. */
export function segmentCapacity(view: DataView): number {
  return view.getUint32(32, true);
}

const ID_DIGITS = 16;
const COMPRESSED_FILE = /^[0-9a-f]{16}\.lz4$/;
const REPAIR_SUFFIX = '.repair';
const SEGMENT_FILE = /^[0-9a-f]{16}\.seg$/;

/** The folder of the log inside the data directory. */
export const LOG_DIRECTORY = 'log';

export function segmentPath(id: number): string {
  return `${LOG_DIRECTORY}/${id.toString(16).padStart(ID_DIGITS, '0')}.seg`;
}

/** The file of a sealed segment once it is compressed. */
export function compressedPath(id: number): string {
  return `${LOG_DIRECTORY}/${id.toString(16).padStart(ID_DIGITS, '0')}.lz4`;
}

/** The file that a segment's records are read back from. */
export function segmentFile({ id, compressed }: { readonly id: number; readonly compressed: boolean }): string {
  return compressed ? compressedPath(id) : segmentPath(id);
}

/** What a compressed file is made again from; a start removes it. */
export function repairPath(id: number): string {
  return `${compressedPath(id)}${REPAIR_SUFFIX}`;
}

/** Whether a name is that of such a file. */
export function isRepairFile(name: string): boolean {
  return name.endsWith(REPAIR_SUFFIX);
}

/** The id in the name of a compressed segment's file; undefined for other files. */
export function compressedIdOf(name: string): number | undefined {
  return COMPRESSED_FILE.test(name) ? Number.parseInt(name.slice(0, ID_DIGITS), 16) : undefined;
}

/** The id in a segment's file name; undefined for other files. */
export function segmentIdOf(name: string): number | undefined {
  return SEGMENT_FILE.test(name) ? Number.parseInt(name.slice(0, ID_DIGITS), 16) : undefined;
}
