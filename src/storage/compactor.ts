import type { Clock } from '../ports/clock.js';
import type { Counter, Histogram, Telemetry } from '../ports/telemetry.js';
import type { Timer, Timers } from '../ports/timers.js';
import type { ActiveLog } from './active-log.js';
import type { BufferPool } from './buffer-pool.js';
import type { Catalog } from './catalog.js';
import type { SealedFiles } from './sealed-files.js';
import type { Segment } from './segment.js';
import { SegmentCompression } from './segment-compression.js';
import { copyBytesMax, mayHide, SegmentCopy, SLICE_UNITS } from './segment-copy.js';
import type { SegmentSizes } from './segment-sizes.js';
import { chooseVictims, DEBT_LIVE_SHARE_MAX, hidesNothing, REST_LIVE_SHARE_MAX } from './victims.js';

/** A slice ends after this long. Between two of them everything else has its turn. */
const SLICE_MS = 0.5;
const SLICE_PAUSE_MS = 1;
/** While one copy is synced, others are made; a full disk stops it here. */
const WRITING_MAX = 4;
/** How often it is looked whether there is anything to do while nothing is appended. */
const POLL_MS = 250;
/** Units of a slice per record appended: with a victim live to two fifths, 1 is passed and 0.7 copied for it. */
const UNITS_PER_APPENDED = 6;
/** Of one turn: two slices, 0.6 ms. What is appended in a turn of so many records costs several times that. */
const TURN_UNITS_MAX: number = 2 * SLICE_UNITS;
/** Less than this is left to the timer. */
const TURN_UNITS_MIN = 256;
/** Bytes copied per byte appended, at most: at 67 % use a victim is live to two fifths, and 0.7 copied frees 1. */
const COPIED_PER_APPENDED = 0.85;
/** Debt that is not needed at once is kept for later up to so many segments. */
const DEBT_SEGMENTS_MAX = 4;
/** While more than this of the log is live, what is appended is not answered by copying. */
const LIVE_SHARE_GOAL = 0.61;
/** What may be copied per second although nothing is appended. */
const REST_BYTES_PER_SECOND: number = 8 * 1024 * 1024;
/** A copy that is smaller than this part of a segment gets memory of its own. */
const COPY_FILL_MIN = 0.75;
const COPY_FILL_MIN_PRESSED = 0.97;
/** Above this part of the memory bound room is made as fast as it can be. */
const MEMORY_PRESSED_SHARE = 0.85;
const MS_PER_SECOND = 1000;

export interface CompactorOptions {
  readonly catalog: Catalog;
  readonly log: ActiveLog;
  /** Undefined when nothing is durable. */
  readonly files: SealedFiles | undefined;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly pool: BufferPool;
  readonly sizes: SegmentSizes;
  readonly nextCopyId: number;
  readonly memoryBytesMax: number;
  /** The files of segments that compaction leaves alone are compressed. */
  readonly compression?: boolean;
  readonly accountedBytes: () => number;
  /** Memory or files came back. */
  readonly onFreed: () => void;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'copying'; readonly job: SegmentCopy }
  | { readonly kind: 'stopped' };

/**
 * Gives disk and memory back: copies what is newest out of the emptiest sealed segments, a slice at a time, and lets them
 * go (mechanisms: The log on disk). Paced by debt: each byte appended allows part of a byte to be copied; without
 * appends it goes on slowly, until what is left is not worth it.
 */
export class Compactor {
  readonly #options: CompactorOptions;
  #state: State = { kind: 'idle' };
  #nextCopyId: number;
  /** Bytes that may be copied; below 0 while a group is being paid off. */
  #debt = 0;
  #restUntilMs = 0;
  /** There is a segment more than when it was last looked for victims. */
  #sealed = false;
  /** Copies that are complete in memory and on their way to the disk. */
  #writing = 0;
  readonly #compression: SegmentCompression | undefined;
  #timer: Timer | undefined;
  readonly #copied: Counter;
  readonly #freed: Counter;
  readonly #groups: Counter;
  readonly #sliceSeconds: Histogram;

  constructor(options: CompactorOptions) {
    this.#options = options;
    this.#nextCopyId = options.nextCopyId;
    const { telemetry, log } = options;
    this.#copied = telemetry.counter('compaction_copied_bytes_total', 'Bytes of records copied to newer segments.');
    this.#freed = telemetry.counter('compaction_freed_bytes_total', 'Bytes of log left behind by compaction.');
    this.#groups = telemetry.counter('compaction_groups_total', 'Groups of segments that were compacted.');
    this.#sliceSeconds = telemetry.histogram('compaction_slice_seconds', 'Time that one slice held the event loop.');
    log.onSealed = (segment) => {
      const max = DEBT_SEGMENTS_MAX * options.sizes.bytes;
      this.#debt = Math.min(this.#debt + segment.tail * COPIED_PER_APPENDED, max);
      this.#sealed = true;
    };
    const { files, catalog } = options;
    if (files !== undefined && options.compression === true) {
      const isBusy = (): boolean => this.isBusy;
      this.#compression = new SegmentCompression({ ...options, files, segments: catalog.segments, isBusy });
    }
    this.#schedule(POLL_MS);
  }

  /** Files or memory are about to become free. */
  get isBusy(): boolean {
    return this.#state.kind === 'copying' || this.#writing > 0;
  }

  /** Bytes of a copy that the log does not read from yet. */
  get copyBytes(): number {
    return this.#state.kind === 'copying' ? this.#state.job.copy.capacity : 0;
  }

  /**
   * The end of a turn in which so many records were appended: copies in step with them. A timer has one chance a turn,
   * and turns are long under load: by timers alone the log would outgrow its bound.
   */
  keepUp(records: number): void {
    if (this.#sealed && this.#state.kind === 'idle' && this.#begin()) this.#schedule(SLICE_PAUSE_MS);
    if (this.#state.kind !== 'copying') return;
    const units = Math.min(records * UNITS_PER_APPENDED, TURN_UNITS_MAX);
    if (units >= TURN_UNITS_MIN) this.#slice(this.#state.job, units);
  }

  /** Forgets the copy that is being made: the index is built again without it. */
  abandon(): void {
    if (this.#state.kind !== 'copying') return;
    this.#giveUp(this.#state.job);
    for (const segment of this.#state.job.group) segment.leaving = false;
    this.#state = { kind: 'idle' };
  }

  stop(): void {
    this.#state = { kind: 'stopped' };
    this.#compression?.stop();
    if (this.#timer !== undefined) this.#options.timers.stop(this.#timer);
  }

  #schedule(afterMs: number): void {
    const { timers } = this.#options;
    if (this.#timer !== undefined) timers.stop(this.#timer);
    this.#timer = timers.start(afterMs, this.#wake);
  }

  readonly #wake = (): void => {
    if (this.#timer !== undefined) this.#options.timers.stop(this.#timer);
    this.#timer = undefined;
    switch (this.#state.kind) {
      case 'idle':
        this.#schedule(this.#begin() ? SLICE_PAUSE_MS : POLL_MS);
        break;
      case 'copying':
        this.#slice(this.#state.job, SLICE_UNITS);
        break;
      case 'stopped':
        break;
    }
  };

  /** False when nothing is worth it now. */
  #begin(): boolean {
    const { catalog, log, pool, sizes, clock } = this.#options;
    this.#sealed = false;
    if (!catalog.segments.hasFreeSlot || this.#writing === WRITING_MAX) return false;
    const { readLsn } = log;
    const atRest = catalog.segments.ordered.map((segment) => log.isAtRest(segment, readLsn));
    const nowMs = clock.monotonicMs();
    const pressed = this.#isPressed();
    pool.pressed = pressed;
    const paced = pressed || (this.#debt > 0 && this.#liveShare() < LIVE_SHARE_GOAL);
    if (!paced && nowMs < this.#restUntilMs) return false;
    const shareMax = paced ? DEBT_LIVE_SHARE_MAX : REST_LIVE_SHARE_MAX;
    const group = chooseVictims(catalog.segments.ordered, atRest, shareMax, sizes.bytes);
    if (group.length === 0) return false;
    const carries = (): boolean => group.some(mayHide) && !hidesNothing(catalog.segments.ordered, group);
    const job = new SegmentCopy(catalog, group, this.#nextCopyId++, this.#memoryFor(group), carries);
    const bytes = group.reduce((sum, segment) => sum + segment.liveBytes, 0);
    this.#debt -= bytes;
    this.#restUntilMs = nowMs + (bytes / REST_BYTES_PER_SECOND) * MS_PER_SECOND;
    for (const segment of group) segment.leaving = true;
    this.#state = { kind: 'copying', job };
    return true;
  }

  #slice(job: SegmentCopy, units: number): void {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const done = job.step(units, () => clock.monotonicMs() - startedMs >= SLICE_MS);
    if (done) this.#finish(job);
    this.#sliceSeconds.observe((clock.monotonicMs() - startedMs) / MS_PER_SECOND);
    if (!done) this.#schedule(SLICE_PAUSE_MS);
  }

  #finish(job: SegmentCopy): void {
    const { log, files, onFreed } = this.#options;
    const { group, copy } = job;
    const usedBytes = group.reduce((sum, segment) => sum + segment.tail, 0);
    this.#groups.value++;
    this.#state = { kind: 'idle' };
    if (job.isEmpty) {
      this.#giveUp(job);
      log.replace(group, undefined);
      files?.drop(group);
      this.#freed.value += usedBytes;
    } else {
      job.seal();
      log.replace(group, copy);
      this.#copied.value += copy.tail;
      this.#freed.value += usedBytes - copy.tail;
      if (files !== undefined) {
        this.#writing++;
        files.replace(group, copy, () => {
          this.#writing--;
          onFreed();
          if (this.#state.kind === 'idle') this.#schedule(SLICE_PAUSE_MS);
        });
      }
    }
    onFreed();
    this.#schedule(SLICE_PAUSE_MS);
  }

  /** Recycled memory, unless much of it would stay empty. */
  #memoryFor(group: readonly Segment[]): ArrayBuffer {
    const { pool, sizes } = this.#options;
    const bytesMax = copyBytesMax(group);
    const { bytes } = sizes;
    const fillMin = this.#isPressed() ? COPY_FILL_MIN_PRESSED : COPY_FILL_MIN;
    return bytesMax <= bytes && bytesMax >= bytes * fillMin ? pool.take(bytes).buffer : new ArrayBuffer(bytesMax);
  }

  #giveUp(job: SegmentCopy): void {
    this.#options.catalog.segments.release(job.copy);
    this.#options.pool.give(job.copy.bytes.buffer as ArrayBuffer);
  }

  #liveShare(): number {
    const { catalog } = this.#options;
    let used = 0;
    for (const segment of catalog.segments.ordered) used += segment.tail;
    return catalog.liveBytes / used;
  }

  #isPressed(): boolean {
    const { memoryBytesMax, accountedBytes } = this.#options;
    return memoryBytesMax > 0 && accountedBytes() > memoryBytesMax * MEMORY_PRESSED_SHARE;
  }
}
