import type { Disk, DiskError, DiskFile } from '../ports/disk.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Timer, Timers } from '../ports/timers.js';
import { segmentPath } from './segment-header.js';

/** A durable file of zeros that waits to become a segment. */
export interface PreparedFile {
  readonly id: number;
  readonly file: DiskFile;
}

export interface SegmentSupplyOptions {
  readonly disk: Disk;
  readonly timers: Timers;
  readonly telemetry: Telemetry;
  readonly segmentBytes: number;
  /** The id of the next file to be made. */
  readonly nextId: number;
  readonly prepared: PreparedFile[];
  /** Files of segments that are gone will be offered soon: making one is not urgent while another is ready. */
  readonly expectsSpare: () => boolean;
  readonly onReady: () => void;
  readonly onFatal: (error: Error) => void;
}

/** Files kept ready: while one is being filled at disk speed, the next must exist and another be in the making. */
const PREPARED_TARGET = 2;
/** Files of segments that are gone which are kept for later, beside those that are ready. */
const SPARE_MAX = 1;
/** A full disk is asked again after this long, then after twice as long, up to the second bound. */
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 2000;

/**
 * Makes the files of future segments ahead of time, one after the other, and asks again when the disk is full. The file of
 * a segment that is gone is given a new name, which is far cheaper than to fill one with zeros: it is full of old
 * records, which no checksum of the new segment accepts.
 */
export class SegmentSupply {
  readonly #options: SegmentSupplyOptions;
  readonly #ready: PreparedFile[];
  /** Ids of files that nothing needs under their name any more. */
  readonly #spare: number[] = [];
  #nextId: number;
  #preparing = false;
  #retryMs: number = RETRY_MS_MIN;
  #retryTimer: Timer | undefined;
  #closed = false;
  /** An operation of the disk runs. */
  #running = false;
  #onIdle: (() => void) | undefined;
  readonly #made: Counter;
  readonly #recycled: Counter;
  /** The last attempt found no space. */
  full = false;

  constructor(options: SegmentSupplyOptions) {
    this.#options = options;
    this.#ready = options.prepared;
    this.#nextId = options.nextId;
    const { telemetry } = options;
    this.#made = telemetry.counter('log_files_made_total', 'Files of log segments made of zeros.');
    this.#recycled = telemetry.counter('log_files_recycled_total', 'Files of log segments used again.');
  }

  get count(): number {
    return this.#ready.length;
  }

  /** The id of the file that `take` will give next, whether it is ready or not. */
  get nextReadyId(): number {
    return this.#ready.length > 0 ? this.#ready[0].id : this.#nextId;
  }

  /** Files that are kept for later: they are on the disk like those that are ready. */
  get spareCount(): number {
    return this.#spare.length;
  }

  /** Whether another file of a segment that is gone would be used. */
  get wantsSpare(): boolean {
    return !this.#closed && this.#ready.length + this.#spare.length < PREPARED_TARGET + SPARE_MAX;
  }

  /** Takes over the file of a segment that is gone: no manifest names it. `refill` follows. */
  offer(id: number): void {
    this.#spare.push(id);
    if (this.#retryTimer === undefined) return;
    this.#options.timers.stop(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#prepare();
  }

  /** The oldest prepared file, if there is one. `refill` follows. */
  take(): PreparedFile | undefined {
    return this.#ready.shift();
  }

  /** Makes another file if it is time to. */
  refill(): void {
    if (this.#preparing || this.#closed || this.#ready.length >= PREPARED_TARGET) return;
    if (this.#ready.length > 0 && this.#spare.length === 0 && this.#options.expectsSpare()) return;
    this.#preparing = true;
    this.#prepare();
  }

  /** Makes nothing more; calls `done` once no operation of the disk runs that would meet the next process. */
  close(done: () => void): void {
    this.#closed = true;
    if (this.#retryTimer !== undefined) this.#options.timers.stop(this.#retryTimer);
    for (const { file } of this.#ready) file.close();
    this.#ready.length = 0;
    if (this.#running) this.#onIdle = done;
    else done();
  }

  #prepare(): void {
    const { disk, segmentBytes } = this.#options;
    const id = this.#nextId;
    const path = segmentPath(id);
    const spare = this.#spare.shift();
    this.#running = true;
    const prepared = (error?: DiskError): void => {
      this.#running = false;
      if (this.#closed) this.#onIdle?.();
      else if (error === undefined) this.#add(id, path, spare === undefined ? this.#made : this.#recycled);
      else if (error.kind === 'full') {
        if (spare !== undefined) this.#spare.push(spare);
        this.#retryLater(path, error);
      } else this.#options.onFatal(error);
    };
    if (spare === undefined) disk.preallocate(path, segmentBytes, prepared);
    else disk.rename(segmentPath(spare), path, prepared);
  }

  #add(id: number, path: string, counter: Counter): void {
    let file: DiskFile;
    try {
      file = this.#options.disk.open(path);
    } catch (error) {
      this.#options.onFatal(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    counter.value++;
    this.#ready.push({ id, file });
    this.#nextId = id + 1;
    this.#preparing = false;
    if (this.full) {
      this.full = false;
      this.#retryMs = RETRY_MS_MIN;
      this.#options.telemetry.log('info', 'disk-space-back', { message: 'There is room for a log segment again.' });
    }
    this.refill();
    this.#options.onReady();
  }

  #retryLater(path: string, error: Error): void {
    const { disk, timers, telemetry } = this.#options;
    if (!this.full) telemetry.log('warn', 'disk-full', { message: `No room for a log segment: ${error.message}` });
    this.full = true;
    disk.remove(path);
    this.#retryTimer = timers.start(this.#retryMs, () => {
      this.#retryTimer = undefined;
      this.#prepare();
    });
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }
}
