import type { SimFaultCounters } from './sim-faults.js';
import { SimFile } from './sim-file.js';
import type { SimHost } from './sim-host.js';
import type { SimRandom } from './sim-random.js';

/** How the disk of a node behaves; change the fields at any time. */
export interface SimDiskBehaviour {
  /** A sync takes a time between these. */
  syncMsMin: number;
  syncMsMax: number;
  /** With this chance a sync takes `slowMs` more. */
  slowChance: number;
  slowMs: number;
  /** Chance that a sync fails. */
  syncErrorChance: number;
  /** The next so many syncs fail. */
  failSyncs: number;
  /** The next so many writes fail with an input/output error. */
  failWrites: number;
  /** Room for the contents of all files together. */
  capacityBytes: number;
}

export const DISK_BEHAVIOUR: Readonly<SimDiskBehaviour> = {
  syncMsMin: 0.2,
  syncMsMax: 3,
  slowChance: 0,
  slowMs: 500,
  syncErrorChance: 0,
  failSyncs: 0,
  failWrites: 0,
  capacityBytes: Number.POSITIVE_INFINITY,
};

type Entry = SimFile | 'directory';

/** What is stored on the disk of one node. It outlives the node's processes; each of them opens it as a `SimDisk`. */
export class SimDiskImage {
  readonly behaviour: SimDiskBehaviour = { ...DISK_BEHAVIOUR };
  /** The process that holds the lock, if it still lives. */
  lockedBy: SimHost | undefined;
  /** Bits of its files, or of what a process had read from them, were flipped. */
  isDamaged = false;
  readonly #random: SimRandom;
  readonly #faults: SimFaultCounters;
  #names: Map<string, Entry> = new Map();
  /** For names that changed since their directory was synced: what the device knows of them. */
  #durable: Map<string, Entry | undefined> = new Map();

  constructor(random: SimRandom, faults: SimFaultCounters) {
    this.#random = random;
    this.#faults = faults;
  }

  file(path: string): SimFile | undefined {
    const entry = this.#names.get(path);
    return entry === 'directory' ? undefined : entry;
  }

  hasDirectory(path: string): boolean {
    return path === '' || this.#names.get(path) === 'directory';
  }

  has(path: string): boolean {
    return path === '' || this.#names.has(path);
  }

  /** Whether a name would be there after any power cut. */
  hasDurably(path: string): boolean {
    return this.has(path) && !this.#durable.has(path);
  }

  /** Names of the files in a directory, sorted. */
  list(directory: string): string[] {
    const names: string[] = [];
    for (const [path, entry] of this.#names) {
      if (entry !== 'directory' && parentOf(path) === directory) names.push(path.slice(path.lastIndexOf('/') + 1));
    }
    return names.sort();
  }

  /** Paths of all files, sorted. */
  paths(): string[] {
    return [...this.#names].flatMap(([path, entry]) => (entry === 'directory' ? [] : [path])).sort();
  }

  set(path: string, entry: Entry): void {
    if (!this.#durable.has(path)) this.#durable.set(path, this.#names.get(path));
    this.#names.set(path, entry);
  }

  remove(path: string): void {
    if (!this.#names.has(path)) return;
    if (!this.#durable.has(path)) this.#durable.set(path, this.#names.get(path));
    this.#names.delete(path);
  }

  /** Makes one name durable. */
  syncName(path: string): void {
    this.#durable.delete(path);
  }

  /** Makes the names in a directory durable. */
  syncNames(directory: string): void {
    for (const path of this.#durable.keys()) if (parentOf(path) === directory) this.#durable.delete(path);
  }

  /** Bytes that all files take together. */
  usedBytes(): number {
    let used = 0;
    for (const entry of this.#names.values()) if (entry !== 'directory') used += entry.size;
    return used;
  }

  /** Bytes that could still be stored. */
  freeBytes(): number {
    if (this.behaviour.capacityBytes === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.behaviour.capacityBytes - this.usedBytes());
  }

  /** Whether a power cut now could lose something. */
  get isDirty(): boolean {
    if (this.#durable.size > 0) return true;
    for (const entry of this.#names.values()) if (entry !== 'directory' && entry.isDirty) return true;
    return false;
  }

  /** Whether `bytes[start, end)` stands at `position` in a file now and, with `durably`, would after any power cut. */
  holds(path: string, bytes: Uint8Array, start: number, end: number, position: number, durably: boolean): boolean {
    const file = this.file(path);
    if (file === undefined || (durably && !this.hasDurably(path))) return false;
    return file.holds(bytes, start, end, position, durably);
  }

  /** A power cut: un-synced sectors and names are kept or lost at random, from all of them to none. */
  losePower(): void {
    const random = this.#random;
    const lossRate = random.pick([0, 1, 0.5, 0.1, random.unit()]);
    for (const [path, durable] of this.#durable) {
      if (!random.chance(lossRate)) continue;
      this.#faults.bump('name-lost');
      if (durable === undefined) this.#names.delete(path);
      else this.#names.set(path, durable);
    }
    this.#durable.clear();
    for (const path of [...this.#names.keys()].sort()) {
      if (!this.hasDirectory(parentOf(path))) this.#names.delete(path);
    }
    for (const entry of this.#names.values()) {
      if (entry !== 'directory') entry.losePower(random, lossRate, this.#faults);
    }
  }

  /** Flips one random bit of a file, between `start` and `end` (default: its whole size). Returns where. */
  flipBit(path: string, start: number = 0, end?: number): number {
    const file = this.file(path);
    if (file === undefined) throw new Error(`no file ${path} to damage`);
    const position = start + this.#random.below((end ?? file.size) - start);
    file.flipBit(position, this.#random.below(8));
    this.isDamaged = true;
    this.#faults.bump('bit-flipped');
    return position;
  }

  /** A copy of all files as they read now, for `restore`. */
  backup(): ReadonlyMap<string, Uint8Array | 'directory'> {
    return new Map(
      [...this.#names].map(([path, entry]) => [path, entry === 'directory' ? entry : entry.content()] as const),
    );
  }

  /** Puts an old copy in place of everything, as somebody may do with a backup. Only while the node is down. */
  restore(backup: ReadonlyMap<string, Uint8Array | 'directory'>): void {
    this.#mustBeDown();
    this.#faults.bump('disk-restored');
    this.#durable.clear();
    this.#names = new Map(
      [...backup].map(([path, content]) => [path, content === 'directory' ? content : new SimFile(content.slice())]),
    );
  }

  /** A new, empty disk. Only while the node is down. */
  wipe(): void {
    this.#mustBeDown();
    this.#faults.bump('disk-wiped');
    this.#durable.clear();
    this.#names.clear();
  }

  #mustBeDown(): void {
    if (this.lockedBy?.alive) throw new Error(`the disk of ${this.lockedBy.name} is in use`);
  }
}

/** The directory of a path; empty for the data directory itself. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}
