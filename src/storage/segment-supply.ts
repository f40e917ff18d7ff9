import type { Disk, DiskFile } from '../ports/disk.js';
import type { Telemetry } from '../ports/telemetry.js';
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
  readonly onReady: () => void;
  readonly onFatal: (error: Error) => void;
}

/** Files kept ready: while one is being filled at disk speed, the next must exist and another be in the making. */
const PREPARED_TARGET = 2;
/** A full disk is asked again after this long, then after twice as long, up to the second bound. */
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 2000;

/** Makes the files of future segments ahead of time, one after the other, and asks again when the disk is full. */
export class SegmentSupply {
  readonly #options: SegmentSupplyOptions;
  readonly #ready: PreparedFile[];
  #nextId: number;
  #preparing = false;
  #retryMs: number = RETRY_MS_MIN;
  #retryTimer: Timer | undefined;
  #closed = false;
  /** The last attempt found no space. */
  full = false;

  constructor(options: SegmentSupplyOptions) {
    this.#options = options;
    this.#ready = options.prepared;
    this.#nextId = options.nextId;
  }

  get count(): number {
    return this.#ready.length;
  }

  /** The id of the file that `take` will give next, whether it is ready or not. */
  get nextReadyId(): number {
    return this.#ready.length > 0 ? this.#ready[0].id : this.#nextId;
  }

  /** The oldest prepared file, if there is one; another is made in its place. */
  take(): PreparedFile | undefined {
    const prepared = this.#ready.shift();
    this.refill();
    return prepared;
  }

  refill(): void {
    if (this.#preparing || this.#closed || this.#ready.length >= PREPARED_TARGET) return;
    this.#preparing = true;
    this.#prepare();
  }

  close(): void {
    this.#closed = true;
    if (this.#retryTimer !== undefined) this.#options.timers.stop(this.#retryTimer);
    for (const { file } of this.#ready) file.close();
    this.#ready.length = 0;
  }

  #prepare(): void {
    const { disk, segmentBytes } = this.#options;
    const id = this.#nextId;
    const path = segmentPath(id);
    disk.preallocate(path, segmentBytes, (error) => {
      if (this.#closed) return;
      if (error === undefined) this.#add(id, path);
      else if (error.kind === 'full') this.#retryLater(path, error);
      else this.#options.onFatal(error);
    });
  }

  #add(id: number, path: string): void {
    let file: DiskFile;
    try {
      file = this.#options.disk.open(path);
    } catch (error) {
      this.#options.onFatal(error instanceof Error ? error : new Error(String(error)));
      return;
    }
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
    this.#retryTimer = timers.start(this.#retryMs, () => this.#prepare());
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }
}
