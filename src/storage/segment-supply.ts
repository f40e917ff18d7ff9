import type { Disk, DiskError, DiskFile } from '../ports/disk.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Timer, Timers } from '../ports/timers.js';
import { segmentPath } from './segment-header.js';
import type { SegmentSizes } from './segment-sizes.js';

/** A durable file of zeros that waits to become a segment. */
export interface PreparedFile {
  readonly id: number;
  readonly file: DiskFile;
  readonly bytes: number;
}

/** A file under a name that nothing needs any more. */
interface SpareFile {
  readonly id: number;
  readonly bytes: number;
}

export interface SegmentSupplyOptions {
  readonly disk: Disk;
  readonly timers: Timers;
  readonly telemetry: Telemetry;
  readonly sizes: SegmentSizes;
  /** The id of the next file to be made. */
  readonly nextId: number;
  readonly prepared: PreparedFile[];
  /** Files of segments that are gone will be offered soon: making one is not urgent while half of them are ready. */
  readonly expectsSpare: () => boolean;
  readonly onReady: () => void;
  readonly onFatal: (error: Error) => void;
}

/** Files kept ready: while one is being filled at disk speed, the next must exist and another be in the making. */
const READY_MIN = 2;
/**
 * The same in bytes, for segments that are smaller than they may become: the disk may stop for a tenth of a second while
 * 60 MB/s are written.
 */
const READY_BYTES_MIN: number = 8 * 1024 * 1024;
/** Files of segments that are gone which are kept for later, beside those that are ready. */
const SPARE_MAX = 3;
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
  readonly #spare: SpareFile[] = [];
  #nextId: number;
  /** Bytes of the next file, while it is being made or somebody counts on it. */
  #pendingBytes: number | undefined;
  #preparing = false;
  #retryMs: number = RETRY_MS_MIN;
  #retryTimer: Timer | undefined;
  #closed = false;
  /** Operations of the disk that run. */
  #running = 0;
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

  /** Bytes of that file. */
  get nextBytes(): number {
    if (this.#ready.length > 0) return this.#ready[0].bytes;
    this.#pendingBytes ??= this.#options.sizes.bytes;
    return this.#pendingBytes;
  }

  /** Bytes of each file that is ready. */
  get readyBytes(): number[] {
    return this.#ready.map(({ bytes }) => bytes);
  }

  /** Bytes of the files that are ready or kept for later. */
  get bytes(): number {
    return [...this.#ready, ...this.#spare].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Whether a file of so many bytes, of a segment that is gone, would be used. */
  wantsSpare(bytes: number): boolean {
    if (this.#closed || bytes !== this.#options.sizes.bytes) return false;
    return this.#ready.length + this.#spare.length < this.#readyTarget + SPARE_MAX;
  }

  /** Takes over the file of a segment that is gone: no manifest names it. `refill` follows. */
  offer(id: number, bytes: number): void {
    this.#spare.push({ id, bytes });
    if (this.#retryTimer === undefined) return;
    this.#options.timers.stop(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#prepare();
  }

  /** The oldest prepared file, if there is one. `refill` follows. */
  take(): PreparedFile | undefined {
    return this.#ready.shift();
  }

  get #readyTarget(): number {
    const { bytes, bytesMax } = this.#options.sizes;
    return Math.max(READY_MIN, Math.ceil(Math.min(READY_BYTES_MIN, READY_MIN * bytesMax) / bytes));
  }

  /** Makes another file if it is time to. */
  refill(): void {
    if (this.#preparing || this.#closed || this.#ready.length >= this.#readyTarget) return;
    const urgent = this.#ready.length < this.#readyTarget / 2;
    if (!urgent && this.#spare.length === 0 && this.#options.expectsSpare()) return;
    this.#preparing = true;
    this.#prepare();
  }

  /** Makes nothing more; calls `done` once no operation of the disk runs that would meet the next process. */
  close(done: () => void): void {
    this.#closed = true;
    if (this.#retryTimer !== undefined) this.#options.timers.stop(this.#retryTimer);
    for (const { file } of this.#ready) file.close();
    this.#ready.length = 0;
    if (this.#running > 0) this.#onIdle = done;
    else done();
  }

  #prepare(): void {
    const { disk, sizes } = this.#options;
    const id = this.#nextId;
    const path = segmentPath(id);
    this.#pendingBytes ??= sizes.bytes;
    const bytes = this.#pendingBytes;
    const spare = this.#takeSpare(bytes);
    this.#running++;
    const prepared = (error?: DiskError): void => {
      if (!this.#end()) return;
      if (error === undefined) {
        (spare === undefined ? this.#made : this.#recycled).value++;
        this.#onMade(id, bytes);
      } else if (error.kind === 'full') {
        if (spare !== undefined) this.#spare.push(spare);
        this.#retryLater(path, error);
      } else {
        this.#options.onFatal(error);
      }
    };
    if (spare === undefined) disk.preallocate(path, bytes, prepared);
    else disk.rename(segmentPath(spare.id), path, prepared);
  }

  /** A spare file of this size; those of another size are of no use any more. */
  #takeSpare(bytes: number): SpareFile | undefined {
    while (this.#spare.length > 0) {
      const spare = this.#spare.shift() as SpareFile;
      if (spare.bytes === bytes) return spare;
      this.#running++;
      this.#options.disk.removeLater(segmentPath(spare.id), (error) => {
        if (this.#end() && error !== undefined) this.#options.onFatal(error);
      });
    }
    return undefined;
  }

  #onMade(id: number, bytes: number): void {
    if (this.full) {
      this.full = false;
      this.#retryMs = RETRY_MS_MIN;
      this.#options.telemetry.log('info', 'disk-space-back', { message: 'There is room for a log segment again.' });
    }
    this.#add(id, bytes);
  }

  #add(id: number, bytes: number): void {
    let file: DiskFile;
    try {
      file = this.#options.disk.open(segmentPath(id));
    } catch (error) {
      this.#options.onFatal(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#ready.push({ id, file, bytes });
    this.#nextId = id + 1;
    this.#pendingBytes = undefined;
    this.#preparing = false;
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

  /** An operation of the disk has ended. False when nothing is to follow from it. */
  #end(): boolean {
    this.#running--;
    if (!this.#closed) return true;
    if (this.#running === 0) this.#onIdle?.();
    return false;
  }
}
