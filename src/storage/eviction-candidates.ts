import { entriesSlack } from '../model/limits.js';
import {
  kindOf,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordCounter,
  recordKeyLength,
  recordKindLength,
  recordLsnLow,
  recordNode,
} from '../model/record.js';
import type { Catalog } from './catalog.js';
import type { Segment } from './segment.js';
import type { StoreOptions } from './store-options.js';

/**
 * What the store holds, for whoever must decide which of it to let go: how much it is, and which keys have not been used
 * for long. `segment` and the fields behind it describe what `next` found; they hold until the next append.
 */
export class EvictionCandidates {
  readonly #catalog: Catalog;
  readonly #bounded: boolean;
  readonly #keysHardMax: number;
  /** Where the clock's hand stands in the partition. */
  slot = 0;
  segment: Segment | undefined;
  hash = 0;
  keyStart = 0;
  keyLength = 0;
  counter = 0;
  node = 0;
  lsn = 0;

  constructor(catalog: Catalog, { entriesMax, eviction }: Pick<StoreOptions, 'entriesMax' | 'eviction'>) {
    this.#catalog = catalog;
    this.#keysHardMax = eviction === 'lru' ? entriesMax + entriesSlack(entriesMax) : entriesMax;
    this.#bounded = entriesMax !== 0;
  }

  /** Keys with a value. */
  get keys(): number {
    return this.#catalog.keys;
  }

  /** Whether the bound on entries lets no further key in. With eviction it gives a little: that runs behind. */
  get full(): boolean {
    return this.#bounded && this.#catalog.keys >= this.#keysHardMax;
  }

  /** Bytes that are freed by nothing but letting versions go: the newest ones, and the index. */
  get heldBytes(): number {
    return this.#catalog.liveBytes + this.#catalog.index.bytes;
  }

  /** Bytes of an average version with its place in the index; at least 1. */
  get versionBytes(): number {
    const versions = this.#catalog.keys + this.#catalog.tombstones + this.#catalog.entries;
    return versions === 0 ? 1 : Math.max(1, this.heldBytes / versions);
  }

  /** Whether the hand has passed the last slot of a partition. */
  isAtEnd(partition: number): boolean {
    return this.slot >= this.#catalog.index.slotsOf(partition);
  }

  /**
   * Moves the hand over at most `slots` slots of the partition, to the next value that was not used since it came by
   * last; false when there is none among them.
   */
  next(partition: number, slots: number): boolean {
    const { index, segments } = this.#catalog;
    const end = this.slot + slots;
    while (this.slot < end) {
      const location = index.unusedFrom(partition, this.slot, end - this.slot);
      this.slot = index.handSlot;
      if (location === 0) return false;
      const segment = segments.segmentAt(location);
      const offset = segments.offsetAt(location);
      const { view } = segment;
      if (kindOf(recordKindLength(view, offset)) !== RecordKind.value) {
        index.passOver(partition);
        continue;
      }
      this.segment = segment;
      this.hash = index.handHash(partition);
      this.keyStart = offset + RECORD_HEADER_BYTES;
      this.keyLength = recordKeyLength(view, offset);
      this.counter = recordCounter(view, offset);
      this.node = recordNode(view, offset);
      this.lsn = segment.lsnOf(recordLsnLow(view, offset));
      return true;
    }
    return false;
  }
}
