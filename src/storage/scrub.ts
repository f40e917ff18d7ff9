import {
  SCRUB_CYCLE_MS,
  SCRUB_SLICE_BYTES_MAX,
  SCRUB_SLICE_BYTES_MIN,
  SCRUB_TICK_MS_MAX,
  SCRUB_TICK_MS_MIN,
} from '../model/limits.js';
import { type Disk, DiskError } from '../ports/disk.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Timer, Timers } from '../ports/timers.js';
import type { Catalog } from './catalog.js';
import { evictRegion, recount, recountLive, welcomeBack } from './damage.js';
import { type DamagedRegion, damagedRegion, fillRegion, settledEnd } from './damaged-region.js';
import { FileScrub } from './file-scrub.js';
import { MemoryScrub } from './memory-scrub.js';
import { isSoundRun } from './record-check.js';
import type { Segment } from './segment.js';

export interface ScrubOptions {
  readonly catalog: Catalog;
  /** Undefined when nothing is durable. */
  readonly disk: Disk | undefined;
  readonly timers: Timers;
  readonly telemetry: Telemetry;
  readonly onFatal: (error: Error) => void;
}

/**
 * Looks for bits that flipped, in memory and in the files, all the time and in small slices (mechanisms: Audit). What it
 * finds in a file is written again from memory. What it finds in memory leaves the index at once, is read back from the
 * file, and where that is damaged too, comes back from another replica: the tables differ now.
 */
export class Scrub {
  readonly #options: ScrubOptions;
  readonly #memory: MemoryScrub;
  readonly #files: FileScrub | undefined;
  /** Keys were lost here: whatever is known of their partition is void. */
  onLost: (partition: number) => void = () => {};
  /** The same, told first, while nothing of it can have come back: this node may have to begin its counters anew. */
  onEvicted: (partition: number) => void = () => {};
  #timer: Timer | undefined;
  /** So many partitions, the first ones, are to be counted anew: one in a tick. */
  #uncounted = 0;
  readonly #memoryBytes: Counter;
  readonly #memoryCorrupt: Counter;
  readonly #fileCorrupt: Counter;
  readonly #fileRepaired: Counter;
  readonly #memoryRepaired: Counter;

  constructor(options: ScrubOptions) {
    this.#options = options;
    const { catalog, disk, telemetry, onFatal } = options;
    this.#memory = new MemoryScrub(catalog.segments);
    const counter = (name: string, help: string, where: string): Counter => telemetry.counter(name, help, { where });
    const [bytes, corrupt, repaired] = [
      ['scrub_bytes_total', 'Bytes of the log that were verified.'],
      ['scrub_corrupt_total', 'Damaged places that were found.'],
      ['scrub_repaired_total', 'Damaged places that were put right from the other copy of this node.'],
    ] as const;
    this.#memoryBytes = counter(...bytes, 'memory');
    this.#memoryCorrupt = counter(...corrupt, 'memory');
    this.#memoryRepaired = counter(...repaired, 'memory');
    const fileBytes = counter(...bytes, 'file');
    this.#fileCorrupt = counter(...corrupt, 'file');
    this.#fileRepaired = counter(...repaired, 'file');
    if (disk !== undefined) {
      this.#files = new FileScrub({
        disk,
        segments: catalog.segments,
        onCompared: (count) => {
          fileBytes.value += count;
        },
        onDamaged: (file, offset, why) => {
          this.#fileCorrupt.value++;
          this.#log('file-damaged', file, offset, `${file} is damaged at byte ${offset}: ${why}.`);
        },
        onRepaired: (file, offset) => {
          this.#fileRepaired.value++;
          this.#log('file-repaired', file, offset, `${file} was written again from memory at byte ${offset}.`);
        },
        onFatal,
      });
    }
    this.#schedule();
  }

  readonly #repair = (segment: Segment, offset: number): number => this.repair(segment, offset);

  stop(): void {
    if (this.#timer !== undefined) this.#options.timers.stop(this.#timer);
  }

  #schedule(): void {
    let bytes = 0;
    for (const segment of this.#options.catalog.segments.ordered) bytes += segment.tail;
    const perMs = bytes / SCRUB_CYCLE_MS;
    const tickMs = Math.min(SCRUB_TICK_MS_MAX, Math.max(SCRUB_TICK_MS_MIN, SCRUB_SLICE_BYTES_MIN / perMs));
    const budget = Math.ceil(Math.min(SCRUB_SLICE_BYTES_MAX, Math.max(SCRUB_SLICE_BYTES_MIN, perMs * tickMs)));
    this.#timer = this.#options.timers.start(tickMs, () => {
      this.#memoryBytes.value += this.#memory.slice(budget, this.#repair);
      this.#files?.step(budget);
      this.#recountNext();
      this.#schedule();
    });
  }

  /**
   * Something at `offset` does not verify. When this returns it does: it was read back from the file, or the keys that
   * lay there are lost here and their place is filled. Returns where sound records go on. The file is read at once: it
   * is rare, and nobody must meet the damage meanwhile.
   */
  repair(segment: Segment, offset: number): number {
    const region = damagedRegion(segment, offset);
    const { file, start, end } = region;
    this.#memoryCorrupt.value++;
    this.#log('record-damaged', file, start, `Memory of ${file} is damaged from byte ${start} to ${end}.`);
    if (end <= segment.durableOffset && this.#restore(region)) {
      this.#memoryRepaired.value++;
      this.#log('record-repaired', file, start, `Memory of ${file} was read back from the file at byte ${start}.`);
      welcomeBack(this.#options.catalog, region);
      return end;
    }
    const evicted = evictRegion(this.#options.catalog, region);
    // It was replaced before, and counted out wrongly perhaps; nobody knows which partition it belonged to.
    if (evicted.length === 0) this.#recountAll(segment);
    for (const partition of new Set(evicted.map((key) => key.partition))) {
      this.onEvicted(partition);
      this.onLost(partition);
    }
    // Behind what is settled a batch is being put together: it is looked at again when it is written.
    if (start < settledEnd(segment)) fillRegion(region);
    return end;
  }

  #recountNext(): void {
    const { catalog } = this.#options;
    if (this.#uncounted === 0) return;
    this.#uncounted = Math.min(this.#uncounted, catalog.index.partitions) - 1;
    recount(catalog, this.#uncounted, 0);
  }

  #recountAll(segment: Segment): void {
    const { catalog } = this.#options;
    recountLive(catalog, segment);
    this.#uncounted = catalog.index.partitions;
  }

  /** Reads the region back from the file, if that is sound. */
  #restore({ segment, file, start, end }: DamagedRegion): boolean {
    const { disk } = this.#options;
    if (disk === undefined || !disk.exists(file)) return false;
    let bytes: Uint8Array;
    try {
      bytes = segment.compressed
        ? disk.readCompressed(file).subarray(start, end)
        : readPart(disk, file, start, end - start);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#log('file-damaged', file, start, error.message);
      return false;
    }
    if (bytes.length !== end - start || !isSoundRun(bytes, segment.generation, start)) return false;
    segment.bytes.set(bytes, start);
    return true;
  }

  #log(event: string, file: string, offset: number, message: string): void {
    const level = event.endsWith('repaired') ? 'warn' : 'error';
    this.#options.telemetry.log(level, event, { file, offset, message });
  }
}

function readPart(disk: Disk, path: string, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const file = disk.open(path);
  try {
    return bytes.subarray(0, file.read(bytes, 0, length, position));
  } finally {
    file.close();
  }
}
