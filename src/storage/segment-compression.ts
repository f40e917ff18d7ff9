import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Timer, Timers } from '../ports/timers.js';
import type { ActiveLog } from './active-log.js';
import type { SealedFiles } from './sealed-files.js';
import type { Segment } from './segment.js';
import type { SegmentTable } from './segment-table.js';
import { REST_LIVE_SHARE_MAX } from './victims.js';

/** How often it is looked whether a segment can be compressed. */
const POLL_MS = 1000;
/** After a full disk. */
const RETRY_MS = 10_000;
/** A file that does not shrink to this part is left as it is. */
const WORTH_SHARE = 0.9;

export interface SegmentCompressionOptions {
  readonly segments: SegmentTable;
  readonly log: ActiveLog;
  readonly files: SealedFiles;
  readonly timers: Timers;
  readonly telemetry: Telemetry;
  /** Compaction is at work: it has the disk, and may be about to leave the segment behind. */
  readonly isBusy: () => boolean;
}

/**
 * Compresses the files of sealed segments that compaction will leave alone, one after the other, off the event loop. Memory
 * is not touched by it, and a segment whose file is compressed is compacted like any other.
 */
export class SegmentCompression {
  readonly #options: SegmentCompressionOptions;
  /** Segments whose contents do not shrink. */
  readonly #incompressible = new WeakSet<Segment>();
  readonly #saved: Counter;
  #timer: Timer;
  #stopped = false;

  constructor(options: SegmentCompressionOptions) {
    this.#options = options;
    this.#saved = options.telemetry.counter(
      'log_compression_saved_bytes_total',
      'Bytes that compressed files are smaller.',
    );
    this.#timer = options.timers.start(POLL_MS, this.#next);
  }

  stop(): void {
    this.#stopped = true;
    this.#options.timers.stop(this.#timer);
  }

  readonly #next = (): void => {
    const { files, isBusy } = this.#options;
    const segment = isBusy() ? undefined : this.#candidate();
    if (segment === undefined) {
      this.#again(POLL_MS);
      return;
    }
    const before = segment.fileBytes;
    files.compress(segment, segment.tail * WORTH_SHARE, (stored) => {
      if (stored === undefined) {
        this.#again(RETRY_MS);
        return;
      }
      if (segment.compressed) this.#saved.value += before - stored;
      else this.#incompressible.add(segment);
      this.#again(0);
    });
  };

  #candidate(): Segment | undefined {
    const { segments, log } = this.#options;
    const { readLsn } = log;
    return segments.ordered.find((segment) => {
      const live = segment.liveBytes / segment.tail;
      if (segment.compressed || live < REST_LIVE_SHARE_MAX || this.#incompressible.has(segment)) return false;
      return log.isAtRest(segment, readLsn);
    });
  }

  #again(afterMs: number): void {
    if (!this.#stopped) this.#timer = this.#options.timers.start(afterMs, this.#next);
  }
}
