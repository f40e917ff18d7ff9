import { partitionOfHash } from '@memdb/protocol';
import { RecordKind, recordFlags } from '../model/record.js';
import { recordHasValue } from '../model/serial-record.js';

/** Buckets of a partition: 512 bytes of tables each, 128 KiB for 256 partitions; 60 keys a bucket at a million keys. */
export const AUDIT_BUCKETS = 64;
/** Numbers of a partition's table: two words of 32 bits per bucket. */
export const AUDIT_TABLE_WORDS: number = AUDIT_BUCKETS * 2;

const COUNTER_HIGH_MASK: number = 2 ** 21 - 1;

/**
 * What a node holds, as a few numbers: per partition and bucket of the key hash, 64 bits that combine
 * (key hash, stamp, kind) of every newest version by XOR (mechanisms: Audit). Two replicas with equal tables hold the
 * same versions; a version goes in and comes out by the same operation, in whatever order. Flags beside the counter are
 * left out: that a value expires does not change it.
 *
 * Hot: `toggle` runs once for each version admitted and once for each it replaces, about 10 ns with its memory;
 * `test/micro/version-table.ts` watches it.
 */
export class VersionTable {
  /** By partition × bucket × word. */
  words: Int32Array = new Int32Array(0);
  /** By partition: tombstones, and values that expire: what may be purged one day. */
  mortal: Int32Array = new Int32Array(0);
  /** By partition: tombstones alone, as they were when they were added. */
  tombstones: Int32Array = new Int32Array(0);
  /** By partition: serial keys, and those of them without a value. */
  serial: Int32Array = new Int32Array(0);
  serialTombstones: Int32Array = new Int32Array(0);
  /** By partition: entries of counters alone. */
  entries: Int32Array = new Int32Array(0);
  /** By partition: 1 when a version at or below the floor may have come after the floor was raised. */
  late: Uint8Array = new Uint8Array(0);

  #partitions = 0;
  /** Depends on all that `warm` read, so that no compiler leaves the reading out; it means nothing. */
  #warmed = 0;

  reset(partitions: number): void {
    this.#partitions = partitions;
    this.words = new Int32Array(partitions * AUDIT_TABLE_WORDS);
    this.mortal = new Int32Array(partitions);
    this.tombstones = new Int32Array(partitions);
    this.serial = new Int32Array(partitions);
    this.serialTombstones = new Int32Array(partitions);
    this.entries = new Int32Array(partitions);
    this.late = new Uint8Array(partitions);
  }

  /** Keys with these hashes are written next: brings their buckets into the processor's cache, all at once. Hot. */
  warm(hashes: Float64Array, count: number): void {
    const { words } = this;
    let sum = 0;
    for (let at = 0; at < count; at++) {
      const hash = hashes[at];
      sum ^= words[partitionOfHash(hash, this.#partitions) * AUDIT_TABLE_WORDS + bucketOfHash(hash) * 2];
    }
    this.#warmed ^= sum;
  }

  clear(partition: number): void {
    this.words.fill(0, partition * AUDIT_TABLE_WORDS, (partition + 1) * AUDIT_TABLE_WORDS);
    this.mortal[partition] = 0;
    this.tombstones[partition] = 0;
    this.serial[partition] = 0;
    this.serialTombstones[partition] = 0;
    this.entries[partition] = 0;
  }

  /** The version with its header at `view[offset]` became the newest of its key. */
  add(partition: number, hash: number, kind: number, view: DataView, offset: number): void {
    if (isMortal(kind, view, offset)) this.#countMortal(partition, kind, 1);
    else if (kind === RecordKind.serial) this.#countSerial(partition, view, offset, 1);
    else if (kind === RecordKind.counterEntry) this.entries[partition]++;
    toggle(this.words, partition * AUDIT_TABLE_WORDS, hash, kind, view, offset);
  }

  /** It no longer is. */
  remove(partition: number, hash: number, kind: number, view: DataView, offset: number): void {
    if (isMortal(kind, view, offset)) this.#countMortal(partition, kind, -1);
    else if (kind === RecordKind.serial) this.#countSerial(partition, view, offset, -1);
    else if (kind === RecordKind.counterEntry) this.entries[partition]--;
    toggle(this.words, partition * AUDIT_TABLE_WORDS, hash, kind, view, offset);
  }

  #countSerial(partition: number, view: DataView, offset: number, by: number): void {
    this.serial[partition] += by;
    if (!recordHasValue(view, offset)) this.serialTombstones[partition] += by;
  }

  #countMortal(partition: number, kind: number, by: number): void {
    this.mortal[partition] += by;
    if (kind === RecordKind.tombstone) this.tombstones[partition] += by;
  }
}

function isMortal(kind: number, view: DataView, offset: number): boolean {
  return kind === RecordKind.tombstone || recordFlags(view, offset) !== 0;
}

export function bucketOfHash(hash: number): number {
  return hash & (AUDIT_BUCKETS - 1);
}

/**
 * Combines a version into the partition's table that begins at `words[base]`, or takes it out again. Its stamp is read
 * from the record header at `view[offset]`. Two independent mixes in the manner of MurmurHash3's finalizer.
 */
export function toggle(
  words: Int32Array,
  base: number,
  hash: number,
  kind: number,
  view: DataView,
  offset: number,
): void {
  // Signed 32-bit throughout: a sum that leaves that range would be a float.
  const key = hash | 0;
  const origin = view.getUint16(offset + 14, true) | (kind << 16);
  const low = view.getInt32(offset + 16, true);
  const high = Math.imul(view.getInt32(offset + 20, true) & COUNTER_HIGH_MASK, 0x9e3779b1) ^ origin;
  let first = (Math.imul(key, 0x85ebca6b) + low) | 0;
  first = (Math.imul(first ^ (first >>> 15), 0xc2b2ae35) + high) | 0;
  first = Math.imul(first ^ (first >>> 13), 0x27d4eb2f);
  let second = (Math.imul(low, 0xcc9e2d51) + key) | 0;
  second = (Math.imul(second ^ (second >>> 16), 0x1b873593) + Math.imul(high, 0x165667b1)) | 0;
  second = Math.imul(second ^ (second >>> 14), 0x85ebca77);
  const at = base + bucketOfHash(key) * 2;
  words[at] ^= first ^ (first >>> 16);
  words[at + 1] ^= second ^ (second >>> 15);
}
