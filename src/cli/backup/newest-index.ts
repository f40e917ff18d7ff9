import { compareStamps, keyHash } from '@memdb/protocol';
import type { DescribedRecord } from '../../storage/log-inspect.js';
import { sameBytes } from '../../storage/same-bytes.js';
import { viewOf } from '../../storage/view-of.js';

/** Where the newest version of a key lies. */
export interface NewestEntry {
  /** Number of the file. */
  readonly file: number;
  readonly offset: number;
}

const SLOTS_FIRST = 1024;
const LOAD_MAX = 0.7;
/** Of an entry, beside its key: slot 4 / 0.7, stamp 10, place 8, key 10, hash 4, kinds 2. */
const ENTRY_BYTES = 40;
const HASHES_END: number = 2 ** 32;

/**
 * Which version of each key is the newest, for the keys whose hash lies in a range; the range shrinks when the memory
 * does not suffice, and the rest is left to another pass. Keys are kept as they are: two of the same hash are two.
 */
export class NewestIndex {
  readonly low: number;
  /** Keys from this hash on were let go. */
  high: number = HASHES_END;
  readonly #bytesMax: number;
  #entries: Entries = new Entries();

  constructor(low: number, bytesMax: number) {
    this.low = low;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#entries.count;
  }

  /** Notes a version, value, tombstone or serial state, at `record.offset` of a file. */
  add(record: DescribedRecord, file: number): void {
    const { key } = record;
    const hash = keyHash(key, viewOf(key), 0, key.length, 0);
    if (hash < this.low || hash >= this.high) return;
    const { serial } = record;
    // What a bare promise found is a plain version; what was accepted beats all plain ones, and goes by its ballot.
    const isSerial = serial !== undefined && serial.accepted.counter !== 0;
    const { counter, node } = isSerial ? serial.accepted : record;
    const isValue = serial?.hasValue ?? record.kind === 'value';
    this.#entries.put(hash, key, counter, node, isValue, isSerial, file, record.offset);
    while (this.#entries.bytes > this.#bytesMax && this.high - this.low > 1) this.#narrow();
  }

  /** The values among the newest versions, in the order of files and places. */
  values(): NewestEntry[] {
    return this.#entries.values();
  }

  /** How many of the newest versions are deletions. */
  get deleted(): number {
    return this.#entries.deleted;
  }

  #narrow(): void {
    this.high = this.low + Math.ceil((this.high - this.low) / 2);
    this.#entries = this.#entries.below(this.high);
  }
}

/** Arrays of fields instead of an object for each key. */
class Entries {
  count = 0;
  deleted = 0;
  #slots: Int32Array = new Int32Array(SLOTS_FIRST).fill(-1);
  #hashes: Uint32Array = new Uint32Array(SLOTS_FIRST);
  #counters: Float64Array = new Float64Array(SLOTS_FIRST);
  #nodes: Uint16Array = new Uint16Array(SLOTS_FIRST);
  #files: Uint32Array = new Uint32Array(SLOTS_FIRST);
  #offsets: Uint32Array = new Uint32Array(SLOTS_FIRST);
  #alive: Uint8Array = new Uint8Array(SLOTS_FIRST);
  #serial: Uint8Array = new Uint8Array(SLOTS_FIRST);
  #keyStarts: Float64Array = new Float64Array(SLOTS_FIRST);
  #keyLengths: Uint16Array = new Uint16Array(SLOTS_FIRST);
  #keys: Uint8Array = new Uint8Array(SLOTS_FIRST * 16);
  #keysView: DataView = viewOf(this.#keys);
  #keyBytes = 0;

  get bytes(): number {
    return this.count * ENTRY_BYTES + this.#keyBytes;
  }

  put(
    hash: number,
    key: Uint8Array,
    counter: number,
    node: number,
    isValue: boolean,
    isSerial: boolean,
    file: number,
    offset: number,
  ): void {
    const slot = this.#find(hash, key);
    let entry = this.#slots[slot];
    if (entry === -1) {
      entry = this.#append(hash, key);
      this.#slots[slot] = entry;
      this.#set(entry, counter, node, isValue, isSerial, file, offset);
      if (this.count > this.#slots.length * LOAD_MAX) this.#rehash();
    } else if (this.#isReplacedBy(entry, counter, node, isValue, isSerial)) {
      if (this.#alive[entry] === 0) this.deleted--;
      this.#set(entry, counter, node, isValue, isSerial, file, offset);
    }
  }

  /** By a newer stamp; at the same one by the eviction of the value (decisions/eviction-at-the-stamp-it-saw.md). */
  #isReplacedBy(entry: number, counter: number, node: number, isValue: boolean, isSerial: boolean): boolean {
    if (isSerial !== (this.#serial[entry] === 1)) return isSerial;
    const order = compareStamps(counter, node, this.#counters[entry], this.#nodes[entry]);
    return order > 0 || (order === 0 && !isValue && this.#alive[entry] === 1);
  }

  values(): NewestEntry[] {
    const found: NewestEntry[] = [];
    for (let entry = 0; entry < this.count; entry++) {
      if (this.#alive[entry] === 1) found.push({ file: this.#files[entry], offset: this.#offsets[entry] });
    }
    return found.sort((left, right) => left.file - right.file || left.offset - right.offset);
  }

  below(high: number): Entries {
    const rest = new Entries();
    for (let entry = 0; entry < this.count; entry++) {
      const hash = this.#hashes[entry];
      if (hash >= high) continue;
      const start = this.#keyStarts[entry];
      const key = this.#keys.subarray(start, start + this.#keyLengths[entry]);
      const isValue = this.#alive[entry] === 1;
      const { [entry]: file } = this.#files;
      const isSerial = this.#serial[entry] === 1;
      rest.put(hash, key, this.#counters[entry], this.#nodes[entry], isValue, isSerial, file, this.#offsets[entry]);
    }
    return rest;
  }

  #set(
    entry: number,
    counter: number,
    node: number,
    isValue: boolean,
    isSerial: boolean,
    file: number,
    offset: number,
  ): void {
    this.#counters[entry] = counter;
    this.#nodes[entry] = node;
    this.#files[entry] = file;
    this.#offsets[entry] = offset;
    this.#alive[entry] = isValue ? 1 : 0;
    this.#serial[entry] = isSerial ? 1 : 0;
    if (!isValue) this.deleted++;
  }

  /** The slot of the key, or the empty one that it would take. */
  #find(hash: number, key: Uint8Array): number {
    const slots = this.#slots;
    const view = viewOf(key);
    let slot = hash & (slots.length - 1);
    for (; slots[slot] !== -1; slot = (slot + 1) & (slots.length - 1)) {
      const entry = slots[slot];
      if (this.#hashes[entry] !== hash || this.#keyLengths[entry] !== key.length) continue;
      if (sameBytes(this.#keysView, this.#keyStarts[entry], view, 0, key.length)) break;
    }
    return slot;
  }

  #append(hash: number, key: Uint8Array): number {
    const entry = this.count++;
    if (entry === this.#hashes.length) this.#growFields();
    if (this.#keyBytes + key.length > this.#keys.length) {
      this.#keys = grown(this.#keys, Math.max(this.#keys.length * 2, this.#keyBytes + key.length));
      this.#keysView = viewOf(this.#keys);
    }
    this.#keys.set(key, this.#keyBytes);
    this.#hashes[entry] = hash;
    this.#keyStarts[entry] = this.#keyBytes;
    this.#keyLengths[entry] = key.length;
    this.#keyBytes += key.length;
    return entry;
  }

  #growFields(): void {
    const length = this.#hashes.length * 2;
    this.#hashes = grown(this.#hashes, length);
    this.#counters = grown(this.#counters, length);
    this.#nodes = grown(this.#nodes, length);
    this.#files = grown(this.#files, length);
    this.#offsets = grown(this.#offsets, length);
    this.#alive = grown(this.#alive, length);
    this.#serial = grown(this.#serial, length);
    this.#keyStarts = grown(this.#keyStarts, length);
    this.#keyLengths = grown(this.#keyLengths, length);
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    for (let entry = 0; entry < this.count; entry++) {
      let slot = this.#hashes[entry] & (slots.length - 1);
      while (slots[slot] !== -1) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = entry;
    }
    this.#slots = slots;
  }
}

type Numbers = Uint8Array | Uint16Array | Uint32Array | Float64Array;

function grown<List extends Numbers>(list: List, length: number): List {
  const copy = new (list.constructor as new (length: number) => List)(length);
  copy.set(list as never);
  return copy;
}
