import type { DiskFile } from '../ports/disk.js';
import { SEGMENT_HEADER_BYTES } from './segment-header.js';

/**
 * Bytes that share one bit of `Segment.live`, as a power of two: 16. A record takes 28 or more, so no two begin there.
 */
const LIVE_UNIT_SHIFT = 4;
const LIVE_WORD_SHIFT: number = LIVE_UNIT_SHIFT + 5;
export const LIVE_UNIT_BYTES: number = 1 << LIVE_UNIT_SHIFT;

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
  /** One bit for each 16 bytes: whether such a record begins there. 1/128 of the segment. */
  readonly #live: Int32Array;
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
    this.#live = new Int32Array((memory.byteLength >>> LIVE_WORD_SHIFT) + 1);
    this.firstLsn = firstLsn;
    this.firstLsnLow = firstLsn >>> 0;
    this.lastLsn = firstLsn - 1;
  }

  /** A record of `bytes` at `offset` is in force. Hot. */
  gainLive(offset: number, bytes: number): void {
    this.#live[offset >>> LIVE_WORD_SHIFT] |= 1 << (offset >>> LIVE_UNIT_SHIFT);
    this.liveBytes += bytes;
  }

  /** It no longer is. Hot. */
  loseLive(offset: number, bytes: number): void {
    this.#live[offset >>> LIVE_WORD_SHIFT] &= ~(1 << (offset >>> LIVE_UNIT_SHIFT));
    this.liveBytes -= bytes;
  }

  /** Nothing here is in force. */
  loseAllLive(): void {
    this.#live.fill(0);
    this.liveBytes = 0;
  }

  /**
   * Where the next 16 bytes begin in which a record in force begins, at `from` or behind it; `tail` when none follows.
   * What is dead in between is not looked at. Hot.
   */
  nextLive(from: number): number {
    const live = this.#live;
    let word = from >>> LIVE_WORD_SHIFT;
    let bits = live[word] & (-1 << (from >>> LIVE_UNIT_SHIFT));
    while (bits === 0) {
      if (++word === live.length) return this.tail;
      bits = live[word];
    }
    return Math.min(this.tail, (word * 32 + 31 - Math.clz32(bits & -bits)) << LIVE_UNIT_SHIFT);
  }

  /** Bytes of memory beside the segment itself. */
  get liveMapBytes(): number {
    return this.#live.byteLength;
  }

  /** The full LSN of a record here from its low half: a segment spans less than 2^32 LSNs. */
  lsnOf(lsnLow: number): number {
    return this.firstLsn + ((lsnLow - this.firstLsnLow) >>> 0);
  }
}
