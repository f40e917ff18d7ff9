import type { DiskFile } from '../ports/disk.js';

/** First byte behind the segment's header. */
export const SEGMENT_HEADER_BYTES = 64;

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
  lastLsn: number;
  /** Where the next record goes; where the chain ends in a sealed segment. */
  tail: number = SEGMENT_HEADER_BYTES;
  /** Bytes before this offset are in the file; before `durableOffset`, on the device. */
  writtenOffset = 0;
  durableOffset = 0;
  /** Record bytes that the index points to. */
  liveBytes = 0;
  file: DiskFile | undefined;

  constructor(id: number, generation: number, memory: ArrayBuffer, firstLsn: number) {
    this.id = id;
    this.generation = generation;
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
    this.capacity = memory.byteLength;
    this.firstLsn = firstLsn;
    this.lastLsn = firstLsn - 1;
  }

  /** The full LSN of a record here from its low half. A segment spans less than 2^32 LSNs. */
  lsnOf(lsnLow: number): number {
    return this.firstLsn + ((lsnLow - this.firstLsn) >>> 0);
  }
}
