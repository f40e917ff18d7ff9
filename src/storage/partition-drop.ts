import { readCounter, writeCounter } from '@memdb/protocol';
import { recordLsnLow } from '../model/record.js';
import type { Timer, Timers } from '../ports/timers.js';
import type { Catalog } from './catalog.js';
import type { IndexWindow } from './key-index.js';
import { viewOf } from './view-of.js';

const PREFIX = 'dropped/';
const TWO_32 = 4294967296;
/** Index slots of one slice: each key that goes costs a cache miss or two, so half a millisecond. */
const SLICE_SLOTS = 2048;

/** Name of the meta record that says up to which LSN a partition was dropped. */
export function dropMetaName(partition: number): string {
  return `${PREFIX}${partition}`;
}

/** The partition that a meta record of this name speaks of; undefined for any other. */
export function partitionOfDropMeta(name: string): number | undefined {
  return name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : undefined;
}

export function encodeDrop(lsn: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeCounter(viewOf(bytes), 0, lsn);
  return bytes;
}

export function decodeDrop(bytes: Uint8Array): number {
  if (bytes.length !== 8) throw new Error(`a drop of ${bytes.length} bytes is not understood`);
  return readCounter(viewOf(bytes), 0);
}

/**
 * Forgets the versions of a partition that were dropped: those with an LSN up to `catalog.dropped`, among the index slots
 * from position `from` on. Returns the position to go on from; 2^32 at the end.
 */
export function eraseDropped(catalog: Catalog, partition: number, from: number, slots: number): number {
  const { index, segments, dropped } = catalog;
  const locations: number[] = [];
  const window: IndexWindow = {
    add: (_mixed, location) => {
      const segment = segments.segmentAt(location);
      const lsn = segment.lsnOf(recordLsnLow(segment.view, segments.offsetAt(location)));
      if (lsn <= dropped[partition]) locations.push(location);
    },
  };
  const end = index.window(partition, from, slots, window);
  for (const location of locations) catalog.erase(location);
  return end;
}

/** Erases what was dropped a slice at a time: a partition may have a million keys, and everything else goes on. */
export class PartitionDrops {
  readonly #catalog: Catalog;
  readonly #timers: Timers;
  readonly #jobs: { readonly partition: number; readonly done: () => void; position: number }[] = [];
  #timer: Timer | undefined;

  constructor(catalog: Catalog, timers: Timers) {
    this.#catalog = catalog;
    this.#timers = timers;
  }

  /** The log says that the partition was dropped; `done` once nothing of it is in the index. */
  begin(partition: number, done: () => void): void {
    this.#jobs.push({ partition, done, position: 0 });
    this.#timer ??= this.#timers.start(0, this.#slice);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#timers.stop(this.#timer);
    this.#jobs.length = 0;
  }

  readonly #slice = (): void => {
    this.#timer = undefined;
    const job = this.#jobs[0];
    if (job === undefined) return;
    job.position = eraseDropped(this.#catalog, job.partition, job.position, SLICE_SLOTS);
    if (job.position === TWO_32) {
      this.#jobs.shift();
      this.#catalog.index.shrink(job.partition);
      job.done();
    }
    if (this.#jobs.length > 0) this.#timer = this.#timers.start(0, this.#slice);
  };
}
