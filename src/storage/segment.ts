import type { DiskFile } from '../ports/disk.js';
import { SEGMENT_HEADER_BYTES } from './segment-header.js';

/** A piece of the log: memory and file hold the same bytes. */
export class Segment {
  readonly id: number;
  /** Unique per use of a file or buffer; part of every record's checksum. */
  readonly generation: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly capacity: number;
  /** LSN of the first record; `lastLsn` is one below it while there is none. */
  readonly firstLsn: number;
  readonly firstLsnLow: number;
  lastLsn: number;
  /** Where the next record goes; where the chain ends in a sealed segment. */
  tail: number = SEGMENT_HEADER_BYTES;
  /** Bytes before this offset are in the file; before `durableOffset`, on the device. */
  writtenOffset = 0;
  durableOffset = 0;
  /** Where the header of the batch that is not written yet lies; 0 when there is none. */
  openHeader = 0;
  /** The header of a clean end lies there, behind the tail, until the next batch takes its place; 0 when there is none. */
  closingHeaderAt = 0;
  /** No more appends: the next segment is in use. */
  sealed = false;
  /** Snapshots that read it: while there are any, its memory and its file stay. */
  pins = 0;
  /** Record bytes that the index points to. */
  liveBytes = 0;
  headerBytes = 0;
  /**
   * Bytes of tombstones and of expiring values that the index does not point to. Purged ones among them must outlive
   * that, as long as they hide something (mechanisms: Purging tombstones).
   */
  tombstoneBytes = 0;
  expiringBytes = 0;
  /** Holds a value that was superseded when it came: an older version of a key behind a newer one. */
  late = false;
  /** A copy is being made of what must be kept of it. */
  leaving = false;
  /** Not part of the log any more: its memory may hold something else by now. */
  retired = false;
  /** Memory that was touched up to here, whatever `tail` says: recycled buffers, files read as a whole. */
  touchedBytes = 0;
  /** Where locations in this segment begin (see `SegmentTable`). */
  locationBase = 0;
  file: DiskFile | undefined;
  /** Size of the file, and whether it is compressed. */
  fileBytes: number;
  compressed = false;

  constructor(id: number, generation: number, memory: ArrayBuffer, firstLsn: number) {
    this.id = id;
    this.generation = generation;
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
    this.capacity = memory.byteLength;
    this.fileBytes = memory.byteLength;
    this.firstLsn = firstLsn;
    this.firstLsnLow = firstLsn >>> 0;
    this.lastLsn = firstLsn - 1;
  }

  /** The full LSN of a record here from its low half: a segment spans less than 2^32 LSNs. */
  lsnOf(lsnLow: number): number {
    return this.firstLsn + ((lsnLow - this.firstLsnLow) >>> 0);
  }
}
