import type { Clock } from '../ports/clock.js';
import type { Disk } from '../ports/disk.js';
import type { Telemetry } from '../ports/telemetry.js';
import type { Timers } from '../ports/timers.js';
import type { Segment } from './segment.js';

/**
 * When a record may be spoken of: `sync` after it was synced, `interval` after it was written to the file (synced
 * every `syncIntervalMs`), `none` at once (there are no files).
 */
export type Durability = 'sync' | 'interval' | 'none';

/** Whether a record can be appended: `busy` passes by itself within moments, `disk-full` when space comes back. */
export type Room = 'ok' | 'busy' | 'disk-full' | 'memory-full';

/** What happens at the bounds on memory and entries: new values are refused, or the least recently used keys go. */
export type EvictionMode = 'reject' | 'lru';

export interface StoreOptions {
  /** The data directory, locked; undefined exactly when `durability` is `none`. */
  readonly disk: Disk | undefined;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly durability: Durability;
  readonly syncIntervalMs: number;
  /** Bytes of a segment: a power of two that holds the largest record and `SEGMENT_OVERHEAD_BYTES` beside it. */
  readonly segmentBytes: number;
  /**
   * Bytes of the largest record that may come. Each file holds one; beyond that files are as small as the data are few.
   * By default a whole segment: then all files have that size.
   */
  readonly recordBytesMax?: number;
  /** Compress the files of sealed segments. The disk must be able to. */
  readonly compression?: boolean;
  /** Used until `configurePlacement`; what the log says of an earlier one wins. */
  readonly partitions: number;
  readonly hashSeed: number;
  /** Bound on `accountedBytes`; 0 for none. */
  readonly memoryBytesMax: number;
  /** Bound on keys with a value; 0 for none. */
  readonly entriesMax: number;
  /** With `lru` the store remembers which keys are used, and the owner of the store evicts. */
  readonly eviction: EvictionMode;
  /**
   * The lowest LSN that somebody may still read, through a cursor or a segment kept from an append; nobody does by
   * default. Memory of segments below it is recycled once nothing in them is newest.
   */
  readonly readLsn?: () => number;
  /**
   * Records up to `lsn` may now be spoken of. Called at the end of a sync, in modes `interval` and `none` from inside
   * `commit`; never from inside `append`.
   */
  readonly onDurable: (lsn: number) => void;
  /** Space came back, or a segment is ready again, after `room` said otherwise. */
  readonly onRoom: () => void;
  /** A sync failed or an invariant broke: nothing more may be acknowledged, the node ends itself. */
  readonly onFatal: (error: Error) => void;
}

export interface StoreStats {
  /** Keys with a value, and keys whose newest version is a tombstone. */
  readonly keys: number;
  readonly tombstones: number;
  /** Entries of counters. */
  readonly entries: number;
  /** Record bytes that the index points to, and those it no longer does. */
  readonly liveBytes: number;
  readonly deadBytes: number;
  /** Memory allocated for segments, touched or not. */
  readonly segmentBytes: number;
  readonly indexBytes: number;
  /** What the memory bound counts: touched segment memory and the index. */
  readonly accountedBytes: number;
  /** Sizes of the log's files, prepared ones included. */
  readonly logBytesOnDisk: number;
  readonly segments: number;
  readonly preparedSegments: number;
  readonly lastBatchBytes: number;
}

/** Where the record appended last lies. One object, reused. */
export interface Appended {
  segment: Segment;
  offset: number;
  /** Bytes with padding: the next record may lie right behind. */
  bytes: number;
}
