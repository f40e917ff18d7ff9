import { FoundRecord } from './found-record.js';
import type { LogCursor } from './log-cursor.js';
import type { Segment } from './segment.js';
import type { Room, StoreOptions, StoreStats } from './store-options.js';

export type { Durability, Room, StoreOptions, StoreStats } from './store-options.js';

/** Where the record appended last lies, for building runs. One object, reused. */
export interface Appended {
  segment: Segment;
  offset: number;
  /** Record bytes with padding: the next record may begin right behind. */
  bytes: number;
}

/** Called for each refused record of a run: its LSN at the sender (low 32 bits) and the stamp that supersedes it. */
export type OnRefused = (senderLsnLow: number, counter: number, node: number) => void;

function pending(): never {
  throw new Error('not built yet');
}

export class Store {
  readonly found: FoundRecord = new FoundRecord();

  static open(_options: StoreOptions): Store {
    return pending();
  }
  get appended(): Appended {
    return pending();
  }
  get lastLsn(): number {
    return pending();
  }
  get durableLsn(): number {
    return pending();
  }
  get syncedLsn(): number {
    return pending();
  }
  /** The placement in force; `configured` once `configurePlacement` was called, in this run or an earlier one. */
  get placement(): { readonly partitions: number; readonly hashSeed: number; readonly configured: boolean } {
    return pending();
  }
  configurePlacement(_partitions: number, _hashSeed: number): void {
    pending();
  }
  lookup(_hash: number, _bytes: Uint8Array, _view: DataView, _keyStart: number, _keyLength: number): boolean {
    return pending();
  }
  room(_recordBytes: number, _kind: number): Room {
    return pending();
  }
  append(
    _kind: number,
    _counter: number,
    _node: number,
    _hash: number,
    _bytes: Uint8Array,
    _keyStart: number,
    _keyLength: number,
    _valueBytes: Uint8Array,
    _valueStart: number,
    _valueLength: number,
  ): number {
    return pending();
  }
  ingestRun(
    _bytes: Uint8Array,
    _view: DataView,
    _start: number,
    _end: number,
    _senderGeneration: number,
    _senderOffset: number,
    _skipHeld: boolean,
    _onRefused: OnRefused,
  ): boolean {
    return pending();
  }
  putMeta(_name: string, _value: Uint8Array): number {
    return pending();
  }
  meta(_name: string): Uint8Array | undefined {
    return pending();
  }
  metaNames(): string[] {
    return pending();
  }
  syncNow(_done: () => void): void {
    pending();
  }
  commit(): void {
    pending();
  }
  highestCounter(): number {
    return pending();
  }
  logCursor(_afterLsn: number): LogCursor {
    return pending();
  }
  stats(): StoreStats {
    return pending();
  }
  close(_done: (error?: Error) => void): void {
    pending();
  }
}
