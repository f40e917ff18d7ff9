import { DiskError } from '../ports/disk.js';
import type { Counter, Histogram } from '../ports/telemetry.js';
import type { Timer } from '../ports/timers.js';
import { BATCH_HEADER_BYTES, completeBatchHeader, reserveBatchHeader } from './batch-header.js';
import type { Segment } from './segment.js';
import { StorageError } from './storage-error.js';
import type { StoreOptions } from './store-options.js';

/** Zeros behind the last record of a batch: lsnLow, checksum and the kindLength that ends the chain. */
const TERMINATOR_BYTES = 12;
/** A write that found the disk full is tried again after this long, then after twice as long, up to the second bound. */
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 2000;
const MS_PER_SECOND = 1000;

/** A point of the chain: everything before it is durable. Segment 0 is before the chain. */
export interface ProvenPoint {
  readonly segment: number;
  readonly offset: number;
}

export interface LogWriterEvents {
  /** Records up to `lsn` may be spoken of. */
  readonly onDurable: (lsn: number) => void;
  /** The disk, found full before, took the batch. */
  readonly onSpace: () => void;
  readonly onFatal: (error: Error) => void;
}

interface SyncWaiter {
  readonly lsn: number;
  readonly done: () => void;
}

/**
 * Takes batches from memory to the files (group commit): everything appended since the last batch goes out in one write
 * per segment and one sync. While a sync runs, appends gather for the next.
 *
 * Invariants: the proven point carried by a batch header was synced before that header was written; `syncedLsn` moves
 * only when every file that the batch touched is synced; after a failure nothing moves any more.
 */
export class LogWriter {
  readonly #options: StoreOptions;
  readonly #events: LogWriterEvents;
  /** Segments with bytes that are not written, and with bytes that are not synced, in log order. */
  readonly #unwritten: Segment[] = [];
  #unsynced: Segment[] = [];
  #syncing: Segment[] = [];
  #syncsRunning = 0;
  #syncMark: { lsn: number; point: ProvenPoint } = { lsn: 0, point: { segment: 0, offset: 0 } };
  #syncStartedMs = 0;
  #proven: ProvenPoint;
  /** Something asked for a sync while one was running or nothing could be written. */
  #wanted = false;
  #waiters: SyncWaiter[] = [];
  #intervalTimer: Timer | undefined;
  #retryTimer: Timer | undefined;
  #retryMs: number = RETRY_MS_MIN;
  #stopped = false;
  /** Takes the next step towards the end. */
  #closing: (() => void) | undefined;
  #onClosed: ((error?: Error) => void) | undefined;
  #failure: Error | undefined;
  /** Whether a batch was written: the last one is spoken for by no later header. */
  #unproven = false;
  readonly #syncSeconds: Histogram;
  readonly #batches: Counter;
  readonly #writtenBytes: Counter;
  /** The newest record in memory, in the files, and on the device. */
  lastLsn: number;
  writtenLsn: number;
  syncedLsn: number;
  /** The last write found no space; the batch is kept and tried again. */
  full = false;
  lastBatchBytes = 0;

  constructor(options: StoreOptions, events: LogWriterEvents, lastLsn: number, proven: ProvenPoint) {
    this.#options = options;
    this.#events = events;
    this.#proven = proven;
    this.lastLsn = lastLsn;
    this.writtenLsn = lastLsn;
    this.syncedLsn = lastLsn;
    const { telemetry } = options;
    this.#syncSeconds = telemetry.histogram('log_sync_seconds', 'Time that one sync of the log took.');
    this.#batches = telemetry.counter('log_batches_total', 'Batches written to the log.');
    this.#writtenBytes = telemetry.counter('log_written_bytes_total', 'Bytes written to the log.');
  }

  /** Gives the batch that the next append belongs to a header in `segment`, when it has none there yet. Hot. */
  openBatch(segment: Segment): void {
    if (segment.openHeader !== 0) return;
    segment.openHeader = segment.tail;
    reserveBatchHeader(segment.view, segment.tail, this.lastLsn + 1);
    segment.tail += BATCH_HEADER_BYTES;
    segment.headerBytes += BATCH_HEADER_BYTES;
    this.#unwritten.push(segment);
  }

  /** The end of a turn: takes what was appended one step further. */
  commit(): void {
    if (this.#stopped || this.#unwritten.length === 0) return;
    if (this.#options.durability === 'sync') this.flush();
    else if (this.#write()) this.#startInterval();
  }

  /** Writes what was appended and syncs it: now, or as soon as the sync that runs ends. */
  flush(): void {
    if (this.#stopped) return;
    this.#wanted = true;
    if (this.#syncsRunning > 0 || !this.#write()) return;
    this.#wanted = false;
    if (this.#unsynced.length > 0) this.#startSync();
  }

  /** Calls `done` when everything appended so far is synced, and asks for that at once. Never called after a failure. */
  syncNow(done: () => void): void {
    const waits = this.lastLsn > this.syncedLsn;
    this.whenSynced(done);
    if (waits) this.flush();
  }

  /** Calls `done` when everything appended so far is synced, whenever that is. Never called after a failure. */
  whenSynced(done: () => void): void {
    if (this.lastLsn <= this.syncedLsn) done();
    else this.#waiters.push({ lsn: this.lastLsn, done });
  }

  /** The file of the active segment has come: what waited for it goes on. */
  resume(): void {
    if (this.#wanted) this.flush();
    else this.commit();
  }

  /**
   * Writes and syncs everything, then a last header that proves it, and calls `done`. With it the next start can tell
   * a damaged record from a torn tail, and goes on in the same file. An error says that this was not possible.
   */
  close(active: Segment, done: (error?: Error) => void): void {
    if (this.#stopped) {
      done(this.#failure);
      return;
    }
    this.#onClosed = done;
    let proving = false;
    this.#closing = () => {
      if (this.#unwritten.length > 0 || this.#unsynced.length > 0) {
        this.flush();
      } else if (this.#unproven && !proving) {
        proving = true;
        this.openBatch(active);
        this.flush();
      } else {
        this.#endClose();
      }
    };
    if (this.#syncsRunning === 0) this.#closing();
  }

  /** No record will be appended to this segment any more: its file is closed once it is durable. */
  seal(segment: Segment): void {
    segment.sealed = true;
    if (!this.#syncing.includes(segment)) this.#closeIfDone(segment);
  }

  /** Nothing is written or announced any more. */
  stop(): void {
    this.#stopped = true;
    const { timers } = this.#options;
    if (this.#intervalTimer !== undefined) timers.stop(this.#intervalTimer);
    if (this.#retryTimer !== undefined) timers.stop(this.#retryTimer);
  }

  #endClose(error?: Error): void {
    this.stop();
    const done = this.#onClosed;
    this.#onClosed = undefined;
    done?.(error);
  }

  /** False when some of it must wait: for the segment's file, or for space. */
  #write(): boolean {
    if (this.#retryTimer !== undefined) return false;
    let batchBytes = 0;
    while (this.#unwritten.length > 0) {
      const segment = this.#unwritten[0];
      if (segment.file === undefined) return false;
      const bytes = this.#writeSegment(segment);
      if (bytes === 0) return false;
      batchBytes += bytes;
      this.#unwritten.shift();
      if (!this.#unsynced.includes(segment)) this.#unsynced.push(segment);
    }
    if (batchBytes === 0) return true;
    this.lastBatchBytes = batchBytes;
    this.#batches.value++;
    this.#writtenBytes.value += batchBytes;
    this.#unproven = true;
    this.#spaceIsBack();
    if (this.writtenLsn !== this.lastLsn) {
      this.writtenLsn = this.lastLsn;
      if (this.#options.durability === 'interval') this.#events.onDurable(this.writtenLsn);
    }
    return true;
  }

  /** Bytes written; 0 when that was not possible. */
  #writeSegment(segment: Segment): number {
    const { view, tail, writtenOffset } = segment;
    completeBatchHeader(view, segment.openHeader, segment.generation, this.#proven.segment, this.#proven.offset);
    let end = tail;
    if (tail + TERMINATOR_BYTES <= segment.capacity) {
      end += TERMINATOR_BYTES;
      for (let at = tail; at < end; at += 4) view.setUint32(at, 0, true);
    }
    try {
      segment.file?.write(segment.bytes, writtenOffset, end - writtenOffset, writtenOffset);
    } catch (error) {
      if (error instanceof DiskError && error.kind === 'full') this.#retryLater(error);
      else this.#failed(segment, 'write to', error);
      return 0;
    }
    segment.openHeader = 0;
    segment.writtenOffset = tail;
    return end - writtenOffset;
  }

  #startSync(): void {
    this.#syncing = this.#unsynced;
    this.#unsynced = [];
    const last = this.#syncing[this.#syncing.length - 1];
    this.#syncMark = { lsn: this.writtenLsn, point: { segment: last.id, offset: last.writtenOffset } };
    this.#syncStartedMs = this.#options.clock.monotonicMs();
    this.#syncsRunning = this.#syncing.length;
    for (const segment of this.#syncing) {
      const end = segment.writtenOffset;
      segment.file?.sync((error) => {
        if (this.#stopped) return;
        if (error !== undefined) {
          this.#failed(segment, 'sync', error);
          return;
        }
        segment.durableOffset = end;
        if (--this.#syncsRunning === 0) this.#onSynced();
      });
    }
  }

  #onSynced(): void {
    this.#proven = this.#syncMark.point;
    this.#syncSeconds.observe((this.#options.clock.monotonicMs() - this.#syncStartedMs) / MS_PER_SECOND);
    const synced = this.#syncing;
    this.#syncing = [];
    for (const segment of synced) this.#closeIfDone(segment);
    if (this.syncedLsn !== this.#syncMark.lsn) {
      this.syncedLsn = this.#syncMark.lsn;
      if (this.#options.durability === 'sync') this.#events.onDurable(this.syncedLsn);
      this.#settleWaiters();
    }
    if (this.#stopped || this.#syncsRunning > 0) return;
    if (this.#closing !== undefined) this.#closing();
    else if (this.#wanted) this.flush();
  }

  #closeIfDone(segment: Segment): void {
    if (!segment.sealed || segment.durableOffset !== segment.tail) return;
    segment.file?.close();
    segment.file = undefined;
  }

  #settleWaiters(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = waiters.filter((waiter) => waiter.lsn > this.syncedLsn);
    for (const waiter of waiters) if (waiter.lsn <= this.syncedLsn) waiter.done();
  }

  #startInterval(): void {
    this.#intervalTimer ??= this.#options.timers.start(this.#options.syncIntervalMs, () => {
      this.#intervalTimer = undefined;
      this.flush();
    });
  }

  #retryLater(error: DiskError): void {
    if (this.#closing !== undefined) {
      this.#endClose(error);
      return;
    }
    const { telemetry, timers } = this.#options;
    if (!this.full) telemetry.log('warn', 'disk-full', { message: `The log cannot be written: ${error.message}` });
    this.full = true;
    this.#retryTimer = timers.start(this.#retryMs, () => {
      this.#retryTimer = undefined;
      this.flush();
    });
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }

  #spaceIsBack(): void {
    if (!this.full) return;
    this.full = false;
    this.#retryMs = RETRY_MS_MIN;
    this.#options.telemetry.log('info', 'disk-space-back', { message: 'The log is being written again.' });
    this.#events.onSpace();
  }

  #failed(segment: Segment, action: string, cause: unknown): void {
    if (this.#stopped) return;
    this.stop();
    const path = segment.file?.path ?? '';
    const reason = cause instanceof Error ? cause.message : String(cause);
    const advice = 'Nothing more is acknowledged. Check the device, then start the node again.';
    const message = `Could not ${action} ${path}: ${reason}. ${advice}`;
    this.#failure = new StorageError('io', path, segment.durableOffset, message, cause);
    this.#events.onFatal(this.#failure);
    if (this.#onClosed !== undefined) this.#endClose(this.#failure);
  }
}
