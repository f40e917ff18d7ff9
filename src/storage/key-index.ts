import { SCAN_MIX as MIX, partitionOfHash } from '@memdb/protocol';
import { kindOf, RECORD_HEADER_BYTES, RecordKind, recordKeyLength, recordKindLength } from '../model/record.js';
import { sameBytes } from './same-bytes.js';
import type { SegmentTable } from './segment-table.js';

/** Slots of a new table, before jitter. 256 tables × 32 slots × 8 bytes = 64 KiB for an empty store. */
const SLOTS_FIRST = 32;
const LOAD_MAX = 0.8;
const GROWTH = 1.25;
const GOLDEN = 0.618033988749895;
const SLOT_SCALE: number = 2 ** -32;
const SLOT_BYTES = 8;
const CACHE_LINE_BYTES = 64;
/** What is compared of a record, its header and a short key, lies in two cache lines more often than in one. */
const HEADER_AND_KEY_BYTES: number = RECORD_HEADER_BYTES + 12;
/** Keys that `warm` looks at in one call; more than any caller has. */
const WARMED_TOGETHER_MAX = 256;
/** Undoes `MIX`: their product is 1 modulo 2^32. */
const UNMIX = 0x0e8b2f51;
const TWO_32 = 4294967296;

/**
 * How long a key is spared by the clock's hand, in passes: less for one that was only written than for one that was
 * read. A tombstone is passed over until something else stands there.
 */
const USE = { written: 1, read: 2, never: 255 } as const;

/** Takes what `KeyIndex.window` finds. */
export interface IndexWindow {
  add(mixed: number, location: number): void;
}

/**
 * From a key to the location of its newest record: one open-addressing table per partition, so that growing one of
 * them takes microseconds and never stops the rest. Load is 0.64 to 0.8: 10 to 12.5 bytes a key; tables grow at
 * different moments, so the sum stays near the middle.
 *
 * The keys of a partition share the top bits of their hash. Multiplying mixes the lower bits upwards before the hash is
 * mapped onto the slots. The mixed hash is kept, so growing reads no record. Two keys may share all 32 bits: the key
 * bytes in the segment decide.
 *
 * `find` leaves its place for `insertFound` and `replaceFound`. Hot: `test/micro/storage.ts` watches it.
 */
export class KeyIndex {
  readonly #segments: SegmentTable;
  #partitions = 0;
  #reserved = 0;
  /** By partition: pairs of (mixed hash, location), found by range mapping and linear probing. */
  readonly #tables: Int32Array[] = [];
  #counts: Int32Array = new Int32Array(0);
  #foundPartition = 0;
  #foundSlot = 0;
  #foundMixed = 0;
  /** By partition and slot: `USE`; undefined unless uses are tracked. */
  #uses: Uint8Array[] | undefined;
  #handSlot = 0;
  /** Where `warm` looks: a partition's table and a slot there. */
  readonly #warmPartitions: Uint16Array = new Uint16Array(WARMED_TOGETHER_MAX);
  readonly #warmSlots: Int32Array = new Int32Array(WARMED_TOGETHER_MAX);
  /** Depends on all that `warm` read, so that no compiler leaves the reading out; it means nothing. */
  #warmed = 0;
  /** Bytes of all tables. */
  bytes = 0;

  constructor(segments: SegmentTable, partitions: number) {
    this.#segments = segments;
    this.reset(partitions);
  }

  get partitions(): number {
    return this.#partitions;
  }

  /** The partition that the last `find` looked into. Hot. */
  get foundPartition(): number {
    return this.#foundPartition;
  }

  /**
   * Remembers from now on which keys are in use, one byte a slot, for `unusedFrom`: the least recently used ones are
   * found by a clock (Corbató 1968), whose hand forgives each key a few passes.
   */
  trackUse(): void {
    this.#uses = this.#tables.map((table) => new Uint8Array(table.length >>> 1));
    for (const uses of this.#uses) this.bytes += uses.length;
  }

  /** The key that `find` has just found was read. Hot: about 1 ns, and nothing unless uses are tracked. */
  noteRead(): void {
    if (this.#uses !== undefined) this.#uses[this.#foundPartition][this.#foundSlot >>> 1] = USE.read;
  }

  /** The key that `find` has just found was written; `alive`: with a value. Hot. */
  noteWritten(alive: boolean): void {
    if (this.#uses === undefined) return;
    this.#uses[this.#foundPartition][this.#foundSlot >>> 1] = alive ? USE.written : USE.never;
  }

  /** Makes the tables of the empty index large enough for so many keys: growing step by step moves each key five times. */
  reserve(keys: number): void {
    this.#reserved = keys;
    this.reset(this.#partitions);
  }

  /** Forgets everything. */
  reset(partitions: number): void {
    this.#partitions = partitions;
    this.#tables.length = 0;
    this.#counts = new Int32Array(partitions);
    const tracked = this.#uses !== undefined;
    this.#uses = undefined;
    this.bytes = 0;
    const slots = Math.max(SLOTS_FIRST, this.#reserved / partitions / LOAD_MAX);
    for (let partition = 0; partition < partitions; partition++) {
      // Spread evenly over one growth step, on a logarithmic scale.
      const jitter = GROWTH ** ((partition * GOLDEN) % 1);
      const capacity = Math.round(slots * jitter);
      this.#tables.push(new Int32Array(capacity * 2));
      this.bytes += capacity * SLOT_BYTES;
    }
    if (tracked) this.trackUse();
  }

  /** Gives the memory of a partition's table back when nothing is left in it. */
  shrink(partition: number): void {
    if (this.#counts[partition] !== 0) return;
    const before = this.#tables[partition].length >>> 1;
    const capacity = Math.min(before, Math.round(SLOTS_FIRST * GROWTH ** ((partition * GOLDEN) % 1)));
    this.#tables[partition] = new Int32Array(capacity * 2);
    this.bytes -= (before - capacity) * SLOT_BYTES;
    if (this.#uses === undefined) return;
    this.#uses[partition] = new Uint8Array(capacity);
    this.bytes -= before - capacity;
  }

  /**
   * Reads what lookups of these hashes read first: the slot, and the record that it leads to, with the beginning of its
   * value when `values`. The loops hold nothing that waits, so the cache misses of many keys overlap; lookups one after
   * the other wait for each. Looks at the first `WARMED_TOGETHER_MAX` of them.
   */
  warm(hashes: Float64Array, count: number, values: boolean): void {
    const partitions = this.#partitions;
    const tables = this.#tables;
    const partitionAt = this.#warmPartitions;
    const slotAt = this.#warmSlots;
    const warmed = Math.min(count, WARMED_TOGETHER_MAX);
    // The less a loop does for a key, the more keys a processor has under way: where to look comes before looking.
    for (let at = 0; at < warmed; at++) {
      const hash = hashes[at];
      const partition = partitionOfHash(hash, partitions);
      partitionAt[at] = partition;
      slotAt[at] = Math.floor((Math.imul(hash, MIX) >>> 0) * SLOT_SCALE * (tables[partition].length >>> 1)) * 2;
    }
    let sum = 0;
    for (let at = 0; at < warmed; at++) sum ^= tables[partitionAt[at]][slotAt[at]];
    const segments = this.#segments;
    for (let at = 0; at < warmed; at++) {
      const slots = tables[partitionAt[at]];
      let slot = slotAt[at];
      if (slots[slot + 1] === 0) continue;
      const mixed = Math.imul(hashes[at], MIX);
      while (slots[slot + 1] !== 0 && slots[slot] !== mixed) {
        slot += 2;
        if (slot === slots.length) slot = 0;
      }
      const location = slots[slot + 1];
      if (location === 0) continue;
      const { view } = segments.segmentAt(location);
      const offset = segments.offsetAt(location);
      const last = view.byteLength - 4;
      sum ^= view.getInt32(offset, true);
      sum ^= view.getInt32(Math.min(offset + HEADER_AND_KEY_BYTES, last), true);
      if (!values) continue;
      sum ^= view.getInt32(Math.min(offset + CACHE_LINE_BYTES, last), true);
      sum ^= view.getInt32(Math.min(offset + 2 * CACHE_LINE_BYTES, last), true);
    }
    this.#warmed ^= sum;
  }

  /**
   * Location of the key `view[keyStart, keyStart + keyLength)`; 0 when the index does not know it. An entry of a counter
   * and a key are never the same, whatever their bytes and hashes: `isEntry` says which of the two is looked for.
   */
  find(hash: number, view: DataView, keyStart: number, keyLength: number, isEntry: boolean): number {
    const partition = partitionOfHash(hash, this.#partitions);
    const slots = this.#tables[partition];
    const mixed = Math.imul(hash, MIX);
    const end = slots.length;
    let slot = Math.floor((mixed >>> 0) * SLOT_SCALE * (end >>> 1)) * 2;
    this.#foundPartition = partition;
    for (;;) {
      const location = slots[slot + 1];
      if (location === 0) break;
      if (slots[slot] === mixed && this.#holdsKey(location, view, keyStart, keyLength, isEntry)) {
        this.#foundSlot = slot;
        return location;
      }
      slot += 2;
      if (slot === end) slot = 0;
    }
    this.#foundSlot = slot;
    this.#foundMixed = mixed;
    return 0;
  }

  /**
   * Whether a key with this hash has this location: as `find`, without a look at any key, for compaction. Hot.
   */
  findLocation(hash: number, location: number): boolean {
    const partition = partitionOfHash(hash, this.#partitions);
    const slots = this.#tables[partition];
    const mixed = Math.imul(hash, MIX);
    const end = slots.length;
    let slot = Math.floor((mixed >>> 0) * SLOT_SCALE * (end >>> 1)) * 2;
    for (;;) {
      const held = slots[slot + 1];
      if (held === 0) return false;
      if (held === location) break;
      slot += 2;
      if (slot === end) slot = 0;
    }
    this.#foundPartition = partition;
    this.#foundSlot = slot;
    return true;
  }

  /** Adds the key that `find` has just not found. */
  insertFound(location: number): void {
    const partition = this.#foundPartition;
    const slots = this.#tables[partition];
    slots[this.#foundSlot] = this.#foundMixed;
    slots[this.#foundSlot + 1] = location;
    if (this.#uses !== undefined) this.#uses[partition][this.#foundSlot >>> 1] = USE.written;
    const count = ++this.#counts[partition];
    if (count > (slots.length >>> 1) * LOAD_MAX) this.#grow(partition);
  }

  /** Gives the key that `find` has just found another location. */
  replaceFound(location: number): void {
    this.#tables[this.#foundPartition][this.#foundSlot + 1] = location;
  }

  /** Keys of a partition. */
  countOf(partition: number): number {
    return this.#counts[partition];
  }

  /** Forgets the key that `find` has just found; what was displaced by it moves up. */
  eraseFound(): void {
    const partition = this.#foundPartition;
    const slots = this.#tables[partition];
    const uses = this.#uses?.[partition];
    const end = slots.length;
    const capacity = end >>> 1;
    let hole = this.#foundSlot;
    let at = hole;
    for (;;) {
      at = at + 2 === end ? 0 : at + 2;
      if (slots[at + 1] === 0) break;
      const home = Math.floor((slots[at] >>> 0) * SLOT_SCALE * capacity) * 2;
      // It may move into the hole unless its home lies behind the hole, on the way to where it stands.
      const fromHole = at - hole + (at < hole ? end : 0);
      const fromHome = at - home + (at < home ? end : 0);
      if (fromHome < fromHole) continue;
      slots[hole] = slots[at];
      slots[hole + 1] = slots[at + 1];
      if (uses !== undefined) uses[hole >>> 1] = uses[at >>> 1];
      hole = at;
    }
    slots[hole] = 0;
    slots[hole + 1] = 0;
    this.#counts[partition]--;
  }

  /** Calls `visit` for each key of a partition; the index must not change meanwhile. */
  each(partition: number, visit: (hash: number, location: number) => void): void {
    const slots = this.#tables[partition];
    for (let slot = 0; slot < slots.length; slot += 2) {
      if (slots[slot + 1] !== 0) visit(Math.imul(slots[slot], UNMIX) >>> 0, slots[slot + 1]);
    }
  }

  /** Calls `visit` for each key with this hash; nearly always one, or all entries of a counter. */
  eachOfHash(hash: number, visit: (location: number) => void): void {
    const slots = this.#tables[partitionOfHash(hash, this.#partitions)];
    const mixed = Math.imul(hash, MIX);
    const end = slots.length;
    let slot = Math.floor((mixed >>> 0) * SLOT_SCALE * (end >>> 1)) * 2;
    for (; slots[slot + 1] !== 0; slot = slot + 2 === end ? 0 : slot + 2) {
      if (slots[slot] === mixed) visit(slots[slot + 1]);
    }
  }

  /**
   * Shows `window` every key of `partition` whose mixed hash, unsigned, is at least `from` and below the return value,
   * in no order; about `slots` slots are looked at. 2^32 is the end of the partition.
   *
   * The range is one of hashes and not of slots, so it means the same after growth and at other nodes. Slots are
   * mapped from hashes in order, and no slot between a key's home and its place is empty: what belongs to the range
   * stands between the home of `from` and the first empty slot behind the range's last home.
   */
  window(partition: number, from: number, slots: number, window: IndexWindow): number {
    const table = this.#tables[partition];
    const capacity = table.length >>> 1;
    const first = Math.floor(from * SLOT_SCALE * capacity);
    const last = first + slots;
    const to = last >= capacity ? TWO_32 : hashOfHome(last, capacity);
    for (let seen = 0, slot = first * 2; seen < capacity; seen++) {
      const location = table[slot + 1];
      if (location === 0) {
        if (first + seen >= last || first + seen >= capacity) break;
      } else {
        const mixed = table[slot] >>> 0;
        if (mixed >= from && mixed < to) window.add(mixed, location);
      }
      slot += 2;
      if (slot === table.length) slot = 0;
    }
    return to;
  }

  /** Slots of a partition's table, for the clock's hand. */
  slotsOf(partition: number): number {
    return this.#tables[partition].length >>> 1;
  }

  /** Where the clock's hand stands after `unusedFrom`: the slot to go on from. */
  get handSlot(): number {
    return this.#handSlot;
  }

  /**
   * Moves the clock's hand over at most `slots` slots of a partition, from `slot` on and not beyond the last. Returns the
   * location of the first key that was not used since the hand passed it, 0 when there is none. Hot: 1 to 2 ns a slot.
   */
  unusedFrom(partition: number, slot: number, slots: number): number {
    const uses = this.#uses?.[partition];
    const table = this.#tables[partition];
    const end = Math.min(slot + slots, table.length >>> 1);
    if (uses === undefined) {
      this.#handSlot = end;
      return 0;
    }
    for (let at = slot; at < end; at++) {
      const location = table[at * 2 + 1];
      if (location === 0) continue;
      const use = uses[at];
      if (use === USE.never) continue;
      if (use === 0) {
        this.#handSlot = at + 1;
        return location;
      }
      uses[at] = use - 1;
    }
    this.#handSlot = end;
    return 0;
  }

  /** Hash of the key that `unusedFrom` found. */
  handHash(partition: number): number {
    return Math.imul(this.#tables[partition][(this.#handSlot - 1) * 2], UNMIX) >>> 0;
  }

  /** What `unusedFrom` found is no value: the hand passes over it until something else stands there. */
  passOver(partition: number): void {
    if (this.#uses !== undefined) this.#uses[partition][this.#handSlot - 1] = USE.never;
  }

  #holdsKey(location: number, view: DataView, keyStart: number, keyLength: number, isEntry: boolean): boolean {
    const segment = this.#segments.segmentAt(location);
    const offset = this.#segments.offsetAt(location);
    return (
      recordKeyLength(segment.view, offset) === keyLength &&
      (kindOf(recordKindLength(segment.view, offset)) === RecordKind.counterEntry) === isEntry &&
      sameBytes(segment.view, offset + RECORD_HEADER_BYTES, view, keyStart, keyLength)
    );
  }

  #grow(partition: number): void {
    const old = this.#tables[partition];
    const capacity = Math.ceil((old.length >>> 1) * GROWTH);
    const end = capacity * 2;
    const slots = new Int32Array(end);
    const oldUses = this.#uses?.[partition];
    const uses = oldUses === undefined ? undefined : new Uint8Array(capacity);
    for (let from = 0; from < old.length; from += 2) {
      const location = old[from + 1];
      if (location === 0) continue;
      const mixed = old[from];
      let slot = Math.floor((mixed >>> 0) * SLOT_SCALE * capacity) * 2;
      while (slots[slot + 1] !== 0) {
        slot += 2;
        if (slot === end) slot = 0;
      }
      slots[slot] = mixed;
      slots[slot + 1] = location;
      if (uses !== undefined && oldUses !== undefined) uses[slot >>> 1] = oldUses[from >>> 1];
    }
    const added = capacity - (old.length >>> 1);
    this.bytes += added * SLOT_BYTES;
    if (uses !== undefined && this.#uses !== undefined) {
      this.#uses[partition] = uses;
      this.bytes += added;
    }
    this.#tables[partition] = slots;
  }
}

/** The lowest mixed hash whose home is the slot `home` or one behind it. */
function hashOfHome(home: number, capacity: number): number {
  let hash = Math.ceil((home * TWO_32) / capacity);
  // The division may round either way; the mapping itself decides.
  while (hash > 0 && Math.floor((hash - 1) * SLOT_SCALE * capacity) >= home) hash--;
  while (Math.floor(hash * SLOT_SCALE * capacity) < home) hash++;
  return hash;
}
