import { scanPosition } from '@memdb/protocol';
import { recordHash } from '../model/counter-entry.js';
import { kindOf, RECORD_HEADER_BYTES, RecordKind, recordKeyLength, recordKindLength } from '../model/record.js';
import type { Catalog } from './catalog.js';
import type { Floor } from './floors.js';
import type { IndexWindow } from './key-index.js';
import { recordIsSound } from './record-check.js';
import { sameBytes } from './same-bytes.js';
import type { Segment } from './segment.js';
import { viewOf } from './view-of.js';

/** Index slots looked at in one slice: a cache miss or two each, 0.03 to 0.08 ms (`test/micro/storage.ts`). */
const SCAN_SLICE_SLOTS = 256;
/**
 * Keys held for one slice. A window of 256 slots has fewer; more come together only when thousands of keys share all
 * 32 bits of the hash, and then the lowest half is kept and the rest left to a later slice.
 */
const ENTRIES_MAX: number = SCAN_SLICE_SLOTS * 4;
const KEPT: number = ENTRIES_MAX / 2;

/**
 * The keys of a short range of one partition, in the order of scans: by mixed hash, those of the same hash by their
 * bytes. One object serves all scans of a node: what it holds counts until the next `collect`, and only within a turn,
 * since locations move.
 */
export class ScanWindow implements IndexWindow {
  readonly #catalog: Catalog;
  readonly #mixed: Uint32Array = new Uint32Array(ENTRIES_MAX);
  readonly #locations: Int32Array = new Int32Array(ENTRIES_MAX);
  #order: number[] = [];
  #prefix: Uint8Array = NO_BYTES;
  #prefixView: DataView = viewOf(NO_BYTES);
  #after: Uint8Array = NO_BYTES;
  #from = 0;
  /** Locations met whose key is not what the index says: damaged in memory. */
  readonly #damaged: number[] = [];
  #withEntries = false;
  count = 0;
  /** Keys looked at, those of other prefixes too. */
  seen = 0;
  /** The window reaches below this mixed hash; 2^32 is the end of the partition. */
  end = 0;
  /** It does not: it reaches up to its last key, since there were too many. */
  truncated = false;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** How far deletions of a partition are purged now: a key that is not there counts as deleted with this stamp. */
  floorOf(partition: number): Floor {
    return this.#catalog.floors.of(partition);
  }

  /** Whether keys of the partition were lost to damage here: this replica cannot say what there is. */
  hasLost(partition: number): boolean {
    const { lost } = this.#catalog;
    return lost.size !== 0 && lost.in(partition).length !== 0;
  }

  /**
   * Collects what comes at or behind `from`, and behind the key `after` at that very hash, and starts with `prefix`. Keys
   * are what was written; whether all else of a record is, `isSound` says. Entries of counters are no keys: they come along
   * when `withEntries`, in the order of their records' keys.
   */
  collect(partition: number, from: number, after: Uint8Array, prefix: Uint8Array, withEntries: boolean): void {
    this.#withEntries = withEntries;
    this.#from = from;
    this.#after = after;
    if (prefix !== this.#prefix) {
      this.#prefix = prefix;
      this.#prefixView = viewOf(prefix);
    }
    for (;;) {
      this.count = 0;
      this.seen = 0;
      this.truncated = false;
      this.#order = [];
      this.end = this.#catalog.index.window(partition, from, SCAN_SLICE_SLOTS, this);
      if (this.#damaged.length === 0) break;
      // Repair changes the index, so it waits until the walk is over; then each is read back, or gone.
      for (const location of this.#damaged.splice(0)) {
        const { segments } = this.#catalog;
        const segment = segments.segmentAt(location);
        const offset = segments.offsetAt(location);
        // One that lay in the same region is repaired by now.
        if (!recordIsSound(segment, offset)) this.#catalog.repair(segment, offset);
      }
    }
    this.#sort();
  }

  /**
   * Whether the record at `place` is what was written. If not, it is read back or given up, and what was collected does not
   * count any more. Hot: reads all of the record.
   */
  isSound(place: number): boolean {
    const segment = this.segmentOf(place);
    const offset = this.offsetOf(place);
    if (recordIsSound(segment, offset)) return true;
    this.#catalog.repair(segment, offset);
    return false;
  }

  /** Called by the index. Hot. */
  add(mixed: number, location: number): void {
    this.seen++;
    const { segments } = this.#catalog;
    const segment = segments.segmentAt(location);
    const { view } = segment;
    const offset = segments.offsetAt(location);
    const kind = kindOf(recordKindLength(view, offset));
    const keyStart = offset + RECORD_HEADER_BYTES;
    const keyLength = recordKeyLength(view, offset);
    // A key with one flipped bit has another hash. Otherwise it might be passed over for its first letters.
    if (!this.#hashesTo(mixed, kind, segment, keyStart, keyLength) && !recordIsSound(segment, offset)) {
      this.#damaged.push(location);
      return;
    }
    if (kind === RecordKind.counterEntry && !this.#withEntries) return;
    const prefixLength = this.#prefix.length;
    if (prefixLength > keyLength) return;
    if (prefixLength > 0 && !sameBytes(view, keyStart, this.#prefixView, 0, prefixLength)) return;
    if (mixed === this.#from && this.#after.length > 0) {
      if (Buffer.compare(this.#keyAt(location), this.#after) <= 0) return;
    }
    if (this.count === ENTRIES_MAX) {
      this.#sort();
      this.#keepLowest();
    }
    this.#mixed[this.count] = mixed;
    this.#locations[this.count] = location;
    this.count++;
  }

  /** Where the key at `place` of the order lies, and its hash. */
  segmentOf(place: number): Segment {
    return this.#catalog.segments.segmentAt(this.#locations[this.#order[place]]);
  }
  offsetOf(place: number): number {
    return this.#catalog.segments.offsetAt(this.#locations[this.#order[place]]);
  }
  positionOf(place: number): number {
    return this.#mixed[this.#order[place]];
  }
  /** A copy of the key. */
  keyOf(place: number): Uint8Array {
    return this.#keyAt(this.#locations[this.#order[place]]).slice();
  }

  #hashesTo(mixed: number, kind: number, { bytes, view, tail }: Segment, keyStart: number, keyLength: number): boolean {
    if (keyLength > tail - keyStart) return false;
    return scanPosition(recordHash(kind, bytes, view, keyStart, keyLength, this.#catalog.hashSeed)) === mixed;
  }

  #sort(): void {
    const mixed = this.#mixed;
    const order: number[] = [];
    for (let index = 0; index < this.count; index++) order.push(index);
    order.sort((left, right) => mixed[left] - mixed[right] || this.#compareKeys(left, right));
    this.#order = order;
    if (this.truncated && this.count > KEPT) this.#keepLowest();
  }

  #keepLowest(): void {
    const kept = this.#order.slice(0, KEPT);
    const mixed = kept.map((index) => this.#mixed[index]);
    const locations = kept.map((index) => this.#locations[index]);
    this.#mixed.set(mixed);
    this.#locations.set(locations);
    this.#order = kept.map((_, index) => index);
    this.count = KEPT;
    this.truncated = true;
  }

  #compareKeys(left: number, right: number): number {
    return Buffer.compare(this.#keyAt(this.#locations[left]), this.#keyAt(this.#locations[right]));
  }

  #keyAt(location: number): Uint8Array {
    const { segments } = this.#catalog;
    const { bytes, view } = segments.segmentAt(location);
    const offset = segments.offsetAt(location);
    const start = offset + RECORD_HEADER_BYTES;
    return bytes.subarray(start, start + recordKeyLength(view, offset));
  }
}

const NO_BYTES = new Uint8Array(0);
