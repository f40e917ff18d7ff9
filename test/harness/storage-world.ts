import { keyHash } from '@memdb/protocol';
import { expiryBytes, RecordKind, recordBytes } from '../../src/model/record.js';
import type { Disk } from '../../src/ports/disk.js';
import type { LogFields } from '../../src/ports/telemetry.js';
import { Store, type StoreOptions } from '../../src/storage/store.js';
import type { SimDiskImage } from './sim-disk-image.js';
import type { RecordingTelemetry } from './sim-telemetry.js';
import { type SimCrashOptions, SimWorld } from './sim-world.js';

/** The smallest segment: tests see many of them. */
export const SMALL_SEGMENT_BYTES: number = 128 * 1024;
const NAME = 'n1';
/** Longer than any sync, preallocation or retry of the simulated disk. */
const SETTLE_MS = 10_000;

export type StorageSettings = Partial<
  Pick<
    StoreOptions,
    | 'compression'
    | 'durability'
    | 'syncIntervalMs'
    | 'segmentBytes'
    | 'recordBytesMax'
    | 'partitions'
    | 'hashSeed'
    | 'memoryBytesMax'
    | 'entriesMax'
    | 'eviction'
  >
>;

/** One store on a simulated disk that can be crashed and opened again, with keys and values as text. */
export class StorageWorld {
  readonly world: SimWorld;
  readonly #settings: StorageSettings;
  store: Store;
  /** What the store reported since it was opened. */
  durableLsn = 0;
  roomCalls = 0;
  fatal: Error | undefined;
  /** Puts something between the store and its disk. */
  wrapDisk: ((disk: Disk) => Disk) | undefined;
  #telemetry: RecordingTelemetry | undefined;
  /** Hashes keys in another way, for collisions. */
  hash: ((key: string) => number) | undefined;

  constructor(seed: number, settings: StorageSettings = {}, prepare?: (image: SimDiskImage) => void) {
    this.world = new SimWorld(seed);
    this.#settings = settings;
    prepare?.(this.image);
    this.store = this.open();
  }

  get image(): SimDiskImage {
    return this.world.disk(NAME);
  }

  /** Opens the store in a new process. */
  open(settings: StorageSettings = {}): Store {
    const ports = this.world.createPorts(NAME);
    this.#telemetry = ports.telemetry;
    const merged = { ...this.#settings, ...settings };
    this.durableLsn = 0;
    this.roomCalls = 0;
    this.fatal = undefined;
    try {
      this.store = Store.open({
        ...ports,
        durability: 'sync',
        syncIntervalMs: 100,
        segmentBytes: SMALL_SEGMENT_BYTES,
        partitions: 16,
        hashSeed: 7,
        memoryBytesMax: 0,
        entriesMax: 0,
        eviction: 'reject',
        onDurable: (lsn) => {
          this.durableLsn = lsn;
        },
        onRoom: () => {
          this.roomCalls++;
        },
        onFatal: (error) => {
          this.fatal = error;
        },
        ...merged,
        disk: merged.durability === 'none' ? undefined : (this.wrapDisk?.(ports.disk) ?? ports.disk),
      });
    } catch (error) {
      this.world.stop(NAME);
      throw error;
    }
    return this.store;
  }

  /** A counter of the store that was opened last. */
  metric(name: string, labels?: LogFields): number {
    return this.#telemetry?.metric(name, labels) ?? 0;
  }

  crash(options: SimCrashOptions): void {
    this.world.crash(NAME, options);
  }

  /** Closes the store, ends the process. Returns what `close` said. */
  close(): Error | undefined {
    let outcome: Error | undefined | 'open' = 'open';
    this.store.close((error) => {
      outcome = error;
    });
    this.world.runUntil(() => outcome !== 'open', this.world.nowMs + SETTLE_MS);
    this.world.stop(NAME);
    if (outcome === 'open') throw new Error('the store did not close');
    return outcome;
  }

  /** Lets time pass. */
  run(milliseconds: number = SETTLE_MS): void {
    this.world.run(this.world.nowMs + milliseconds);
  }

  /** Lets time pass until there is room for a record. */
  untilRoom(bytes: number = 64, kind: number = RecordKind.value): void {
    const ok = this.world.runUntil(() => this.store.room(bytes, kind) === 'ok', this.world.nowMs + SETTLE_MS);
    if (!ok) throw new Error(`no room: ${this.store.room(bytes, kind)}`);
  }

  /** Ends the turn and lets time pass until all is durable. */
  settle(): void {
    this.store.commit();
    const ok = this.world.runUntil(() => this.store.durableLsn === this.store.lastLsn, this.world.nowMs + SETTLE_MS);
    if (!ok) throw new Error('the log did not become durable');
  }

  set(key: string, value: string | Uint8Array, counter: number, node: number = 1, expiresAtMs: number = 0): number {
    return this.#append(RecordKind.value, key, bytesOf(value), counter, node, expiresAtMs);
  }

  delete(key: string, counter: number, node: number = 1): number {
    return this.#append(RecordKind.tombstone, key, new Uint8Array(0), counter, node, 0);
  }

  /** The value of a key; undefined when it was deleted or never written. */
  get(key: string): string | undefined {
    const value = this.getBytes(key);
    return value && Buffer.from(value).toString('utf8');
  }

  getBytes(key: string): Uint8Array | undefined {
    if (!this.find(key) || this.store.found.kind === RecordKind.tombstone) return undefined;
    const { bytes, valueStart, valueLength } = this.store.found;
    return bytes.slice(valueStart, valueStart + valueLength);
  }

  /** Looks a key up; `store.found` describes what was found. */
  find(key: string): boolean {
    const bytes = bytesOf(key);
    return this.store.lookup(this.hashOf(key), bytes, viewOf(bytes), 0, bytes.length);
  }

  hashOf(key: string): number {
    const bytes = bytesOf(key);
    return this.hash?.(key) ?? keyHash(bytes, viewOf(bytes), 0, bytes.length, this.store.placement.hashSeed);
  }

  #append(kind: number, key: string, value: Uint8Array, counter: number, node: number, expiresAtMs: number): number {
    const bytes = bytesOf(key);
    const { length } = value;
    this.untilRoom(recordBytes(bytes.length, length + expiryBytes(expiresAtMs)), kind);
    const hash = this.hashOf(key);
    return this.store.append(kind, counter, node, hash, bytes, 0, bytes.length, value, 0, length, expiresAtMs);
  }
}

export function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? new Uint8Array(Buffer.from(text, 'utf8')) : text;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
