import { type CounterEntryList, partitionOfHash, readCounter, writeCounter } from '@memdb/protocol';
import { entryGeneration, recordHash, writeEntryId } from '../model/counter-entry.js';
import {
  ENTRY_ID_BYTES,
  ENTRY_VALUE_BYTES,
  kindOf,
  lengthOf,
  paddedRecordBytes,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordBytes,
  recordCounter,
  recordKeyLength,
  recordKindLength,
  recordLsnLow,
  recordNode,
} from '../model/record.js';
import type { AppendVersion } from './append-version.js';
import type { Catalog } from './catalog.js';
import { recordIsSound } from './record-check.js';
import { sameBytes } from './same-bytes.js';
import type { Segment } from './segment.js';
import { viewOf } from './view-of.js';

const PREFIX = 'counters/';
/** Generations that one start of a node may open: a generation is (starts of the data directory, opened in this one). */
const OPENED_MAX: number = 2 ** 20;

/** What `CounterEntries` appends through: the store. */
export interface EntryKeeper {
  putMeta(name: string, value: Uint8Array): number;
  readonly append: AppendVersion;
}

/**
 * The entries of counters in the index and the log, and which of them this node may continue (mechanisms: Counters).
 *
 * Invariants: this node continues an entry only in a generation in which all that it ever let out stands in its own log.
 * Where a partition lost records, was dropped, or is given an entry of this node back that it does not hold, a new
 * generation is opened, and that stands in the log before anything that comes. A newer state of an entry never has a
 * smaller sum.
 */
export class CounterEntries {
  readonly #catalog: Catalog;
  readonly #keeper: EntryKeeper;
  /** Number of this node; 0 before it belongs to a cluster. */
  #self = 0;
  #starts = 0;
  #opened = 0;
  /** Partitions that lost something before `begin`. */
  readonly #early: number[] = [];
  /** By partition; 0 until another was opened. */
  #generations: Float64Array = new Float64Array(0);
  /** Key and value of the record that is appended next. */
  #record: Uint8Array = new Uint8Array(256);
  #recordView: DataView = viewOf(this.#record);
  /** What `collect` looks for, and into what. */
  #name: DataView = this.#recordView;
  #nameStart = 0;
  #nameLength = 0;
  #into: CounterEntryList | undefined;
  #damaged: { readonly segment: Segment; readonly offset: number }[] = [];
  /** After `collect`: the highest LSN among what it found. */
  lastLsn = 0;

  constructor(catalog: Catalog, keeper: EntryKeeper) {
    this.#catalog = catalog;
    this.#keeper = keeper;
  }

  /** This node is a member, with that number, in the `starts`-th start of its data directory; the placement is known. */
  begin(self: number, starts: number): void {
    this.#self = self;
    this.#starts = starts;
    this.#generations = new Float64Array(this.#catalog.index.partitions);
    for (const name of this.#catalog.metaNames()) {
      if (!name.startsWith(PREFIX)) continue;
      const value = this.#catalog.meta(name);
      if (value?.length !== 8) throw new Error(`generation of ${value?.length} bytes in ${name} is not understood`);
      this.#generations[Number(name.slice(PREFIX.length))] = readCounter(viewOf(value), 0);
    }
    for (const partition of this.#early) this.open(partition);
  }

  /** Number of this node; 0 before it belongs to a cluster. */
  get self(): number {
    return this.#self;
  }

  /** The generation in which this node may continue entries of a partition. */
  generationOf(partition: number): number {
    return this.#generations[partition];
  }

  /** This node's entries in a partition are not continued: those that follow are others. */
  open(partition: number): void {
    if (this.#self === 0) {
      this.#early.push(partition);
      return;
    }
    if (++this.#opened >= OPENED_MAX) throw new Error('too many generations of counters were opened in one run');
    const generation = this.#starts * OPENED_MAX + this.#opened;
    if (generation <= this.#generations[partition]) throw new Error(`generation ${generation} was opened before`);
    this.#generations[partition] = generation;
    const value = new Uint8Array(8);
    writeCounter(viewOf(value), 0, generation);
    this.#keeper.putMeta(`${PREFIX}${partition}`, value);
  }

  /** Whether something of this counter, or what shares its hash, was lost here: this node cannot say what its value is. */
  isLost(hash: number): boolean {
    const { lost } = this.#catalog;
    return lost.size !== 0 && lost.has(hash);
  }

  /**
   * Adds every entry of the counter `view[nameStart, +nameLength)` to the list, durable or not: `lastLsn` says up to where
   * the log must be, before anybody is told. Damage is repaired first, or the counter is lost here (`isLost`).
   */
  collect(hash: number, view: DataView, nameStart: number, nameLength: number, into: CounterEntryList): void {
    this.#name = view;
    this.#nameStart = nameStart;
    this.#nameLength = nameLength;
    this.#into = into;
    this.lastLsn = 0;
    const before = into.count;
    this.#catalog.index.eachOfHash(hash, this.#visit);
    if (this.#damaged.length === 0) return;
    const damaged = this.#damaged;
    this.#damaged = [];
    for (const { segment, offset } of damaged) this.#catalog.repair(segment, offset);
    into.truncate(before);
    this.collect(hash, view, nameStart, nameLength, into);
  }

  readonly #visit = (location: number): void => {
    const { segments } = this.#catalog;
    const segment = segments.segmentAt(location);
    const offset = segments.offsetAt(location);
    const { view } = segment;
    // Before anything of it is believed: with a flipped bit it may look like something else.
    if (!recordIsSound(segment, offset)) {
      this.#damaged.push({ segment, offset });
      return;
    }
    if (kindOf(recordKindLength(view, offset)) !== RecordKind.counterEntry) return;
    const keyLength = recordKeyLength(view, offset);
    const keyStart = offset + RECORD_HEADER_BYTES;
    if (keyLength !== this.#nameLength + ENTRY_ID_BYTES) return;
    if (!sameBytes(view, keyStart, this.#name, this.#nameStart, this.#nameLength)) return;
    const sums = keyStart + keyLength;
    this.#into?.push(
      recordNode(view, offset),
      entryGeneration(view, sums - ENTRY_ID_BYTES),
      recordCounter(view, offset),
      view.getUint32(sums + 4, true),
      view.getUint32(sums, true),
      view.getUint32(sums + 12, true),
      view.getUint32(sums + 8, true),
    );
    const lsn = segment.lsnOf(recordLsnLow(view, offset));
    if (lsn > this.lastLsn) this.lastLsn = lsn;
  };

  /** Bytes of the record of an entry: asked of `Store.room`. */
  bytesOf(nameLength: number): number {
    return recordBytes(nameLength + ENTRY_ID_BYTES, ENTRY_VALUE_BYTES);
  }

  /**
   * Appends the entry at `index` of the list as a state of the counter `bytes[nameStart, +nameLength)`; returns its LSN.
   * This node's own, raised. There is room.
   */
  append(
    hash: number,
    bytes: Uint8Array,
    nameStart: number,
    nameLength: number,
    list: CounterEntryList,
    index: number,
  ): number {
    const keyLength = nameLength + ENTRY_ID_BYTES;
    this.#encode(bytes, nameStart, nameLength, list, index);
    const record = this.#record;
    return this.#keeper.append(
      RecordKind.counterEntry,
      list.counter(index),
      list.node(index),
      hash,
      record,
      0,
      keyLength,
      record,
      keyLength,
      ENTRY_VALUE_BYTES,
      0,
    );
  }

  /**
   * Keeps the entry at `index` of the list, as another node holds it, unless a state at least as new is held; says whether
   * it did. There is room. Throws when the two cannot be states of one entry.
   */
  merge(
    hash: number,
    bytes: Uint8Array,
    nameStart: number,
    nameLength: number,
    list: CounterEntryList,
    index: number,
  ): boolean {
    const keyLength = nameLength + ENTRY_ID_BYTES;
    this.#encode(bytes, nameStart, nameLength, list, index);
    return this.mergeRecord(hash, this.#record, this.#recordView, 0, keyLength, list.counter(index), list.node(index));
  }

  /**
   * As `merge`, of an entry whose record's key is `bytes[keyStart, +keyLength)`, with its value right behind. Says whether
   * it was kept.
   */
  mergeRecord(
    hash: number,
    bytes: Uint8Array,
    view: DataView,
    keyStart: number,
    keyLength: number,
    counter: number,
    node: number,
  ): boolean {
    if (!this.#judge(hash, view, keyStart, keyLength, counter, node)) return false;
    const valueStart = keyStart + keyLength;
    const kind = RecordKind.counterEntry;
    this.#keeper.append(kind, counter, node, hash, bytes, keyStart, keyLength, bytes, valueStart, ENTRY_VALUE_BYTES, 0);
    return true;
  }

  /** Key and value of a record of the entry, into `#record`. */
  #encode(bytes: Uint8Array, nameStart: number, nameLength: number, list: CounterEntryList, index: number): void {
    const keyLength = nameLength + ENTRY_ID_BYTES;
    if (keyLength + ENTRY_VALUE_BYTES > this.#record.length) {
      this.#record = new Uint8Array(2 * (keyLength + ENTRY_VALUE_BYTES));
      this.#recordView = viewOf(this.#record);
    }
    const view = this.#recordView;
    this.#record.set(bytes.subarray(nameStart, nameStart + nameLength));
    writeEntryId(view, nameLength, list.node(index), list.generation(index));
    view.setUint32(keyLength, list.addedLow(index), true);
    view.setUint32(keyLength + 4, list.addedHigh(index), true);
    view.setUint32(keyLength + 8, list.subtractedLow(index), true);
    view.setUint32(keyLength + 12, list.subtractedHigh(index), true);
  }

  /** A run that was verified brings entries: looks at each before any of it is stored. */
  onArriving(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    let size = 0;
    for (let at = start; at < end; at += size) {
      const kindLength = recordKindLength(view, at);
      size = paddedRecordBytes(lengthOf(kindLength));
      if (kindOf(kindLength) !== RecordKind.counterEntry) continue;
      const keyStart = at + RECORD_HEADER_BYTES;
      const keyLength = recordKeyLength(view, at);
      const hash = recordHash(RecordKind.counterEntry, bytes, view, keyStart, keyLength, this.#catalog.hashSeed);
      this.#judge(hash, view, keyStart, keyLength, recordCounter(view, at), recordNode(view, at));
    }
  }

  /** An entry comes from elsewhere, its value behind its key: whether it is newer than what is held. */
  #judge(hash: number, view: DataView, keyStart: number, keyLength: number, counter: number, node: number): boolean {
    const { index, segments } = this.#catalog;
    const held = index.find(hash, view, keyStart, keyLength, true);
    const sums = keyStart + keyLength;
    let isNewer = true;
    if (held !== 0) {
      const { view: own } = segments.segmentAt(held);
      const offset = segments.offsetAt(held);
      const heldCounter = recordCounter(own, offset);
      isNewer = counter > heldCounter;
      const ownSums = offset + RECORD_HEADER_BYTES + recordKeyLength(own, offset);
      const order = Math.sign(counter - heldCounter);
      if (!haveGrown(view, sums, own, ownSums, order)) {
        throw new Error(
          `counter entry of node ${node}: the sums at ${counter} and ${heldCounter} do not follow each other`,
        );
      }
    }
    const partition = partitionOfHash(hash, index.partitions);
    if (
      isNewer &&
      node === this.#self &&
      entryGeneration(view, sums - ENTRY_ID_BYTES) === this.#generations[partition]
    ) {
      // This node let it out, and its log does not know it any more: it must not go on from less.
      this.open(partition);
    }
    return isNewer;
  }
}

/** Whether the two sums at `at` are at least as large as those at `otherAt` (`order` 1), at most (-1), or the same (0). */
function haveGrown(view: DataView, at: number, other: DataView, otherAt: number, order: number): boolean {
  const added = compareSum(view, at, other, otherAt);
  const subtracted = compareSum(view, at + 8, other, otherAt + 8);
  return order === 0 ? added === 0 && subtracted === 0 : added * order >= 0 && subtracted * order >= 0;
}

function compareSum(view: DataView, at: number, other: DataView, otherAt: number): number {
  const high = view.getUint32(at + 4, true) - other.getUint32(otherAt + 4, true);
  return Math.sign(high !== 0 ? high : view.getUint32(at, true) - other.getUint32(otherAt, true));
}
