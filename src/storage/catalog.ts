import { compareStamps } from '@memdb/protocol';
import { recordHash } from '../model/counter-entry.js';
import {
  isData,
  kindOf,
  lengthOf,
  paddedRecordBytes,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordCounter,
  recordFlags,
  recordKeyLength,
  recordKindLength,
  recordLsnLow,
  recordNode,
} from '../model/record.js';
import { compareSerialRecords, recordHasValue } from '../model/serial-record.js';
import { decodeFloor, Floors, isRecordPurgedBy, type KeptFloor, partitionOfFloorMeta } from './floors.js';
import { KeyIndex } from './key-index.js';
import { LostKeys } from './lost-keys.js';
import { decodeDrop, eraseDropped, partitionOfDropMeta } from './partition-drop.js';
import type { Placement } from './placement.js';
import { headerIsPlausible } from './record-check.js';
import type { Segment } from './segment.js';
import { SEGMENT_HEADER_BYTES } from './segment-header.js';
import type { SegmentTable } from './segment-table.js';
import { VersionTable } from './version-table.js';

/** What became of a record that was shown to the catalog. */
export const Verdict = { newest: 0, duplicate: 1, superseded: 2 } as const;

/**
 * What compaction does with a record: drops what something newer replaced, moves what is in force, and carries on what
 * was purged from the index but must go on hiding older versions in the log (mechanisms: Purging tombstones).
 */
export const Fate = { drop: 0, move: 1, carry: 2 } as const;

interface MetaEntry {
  readonly segment: Segment;
  readonly offset: number;
  readonly lsn: number;
}

const UTF_8 = new TextDecoder();

/**
 * What the log means: which record is the newest of each key, whatever the order in which they were appended, and
 * which meta record is in force. It also counts what is live, which compaction will go by.
 */
export class Catalog {
  readonly segments: SegmentTable;
  readonly index: KeyIndex;
  /** What the index holds, for comparison with other replicas. */
  readonly versions: VersionTable = new VersionTable();
  readonly floors: Floors = new Floors();
  readonly lost: LostKeys = new LostKeys();
  /** By partition: nothing with an LSN up to here counts, since the partition was dropped; 0: it never was. */
  dropped: Float64Array = new Float64Array(0);
  /** Sees to it that what stands at an offset verifies again, or is gone; set by whoever scrubs. */
  repair: (segment: Segment, offset: number) => void = (segment, offset) => {
    throw new Error(`segment ${segment.id} is damaged at byte ${offset}`);
  };
  readonly #metas: Map<string, MetaEntry> = new Map();
  hashSeed: number;
  keys = 0;
  tombstones = 0;
  /** Keys in the index that are serial, and those among them that have no value: they stay. */
  serialKeys = 0;
  serialTombstones = 0;
  /** Entries of counters. */
  entries = 0;
  liveBytes = 0;
  /** The highest counter of any stamp that was admitted. */
  highestCounter = 0;
  /** After a verdict other than `newest`: the stamp that the index holds. */
  heldCounter = 0;
  heldNode = 0;
  /** It is that of a serial key, which takes no plain version: its counter is that of a ballot. */
  heldSerial = false;

  constructor(segments: SegmentTable, placement: Placement) {
    this.segments = segments;
    this.index = new KeyIndex(segments, placement.partitions);
    this.hashSeed = placement.hashSeed;
    this.versions.reset(placement.partitions);
    this.floors.reset(placement.partitions);
    this.dropped = new Float64Array(placement.partitions);
  }

  /** No key was admitted. */
  get isEmpty(): boolean {
    return this.keys + this.tombstones + this.entries === 0;
  }

  isPlacedAs(placement: Placement): boolean {
    return this.index.partitions === placement.partitions && this.hashSeed === placement.hashSeed;
  }

  /** Changes the placement of an empty index, or of one that is rebuilt next. */
  place(placement: Placement): void {
    // Hashes differ, but an empty index of as many partitions looks the same: building it anew costs a start 40 ms.
    if (!this.isEmpty || this.index.partitions !== placement.partitions) this.index.reset(placement.partitions);
    this.versions.reset(placement.partitions);
    this.floors.reset(placement.partitions);
    this.dropped = new Float64Array(placement.partitions);
    this.hashSeed = placement.hashSeed;
  }

  /** Admits what is at `offset`, a version of a key or an entry of a counter, which hashes to `hash`. `bytes` is its padded size. Hot. */
  admit(
    segment: Segment,
    offset: number,
    bytes: number,
    kind: number,
    counter: number,
    node: number,
    hash: number,
    keyLength: number,
  ): number {
    if (counter > this.highestCounter) this.highestCounter = counter;
    const isEntry = kind === RecordKind.counterEntry;
    // One entry of a counter makes up for no other.
    if (this.lost.size !== 0 && !isEntry) this.lost.onAdmitted(hash, counter);
    const held = this.index.find(hash, segment.view, offset + RECORD_HEADER_BYTES, keyLength, isEntry);
    const partition = this.index.foundPartition;
    if (held === 0) {
      if (this.#isBelowFloor(partition, kind, counter, node) && !this.lost.has(hash)) {
        this.#noteRefused(segment, offset, kind, bytes);
        return this.#belowFloor(partition);
      }
      this.index.insertFound(this.segments.locationOf(segment, offset));
    } else {
      const heldSegment = this.segments.segmentAt(held);
      const heldOffset = this.segments.offsetAt(held);
      const verdict = this.#compareAt(heldSegment.view, heldOffset, segment.view, offset, kind, counter, node);
      if (verdict !== Verdict.newest) {
        this.#noteRefused(segment, offset, kind, bytes);
        return verdict;
      }
      this.index.replaceFound(this.segments.locationOf(segment, offset));
      this.index.noteWritten(kind !== RecordKind.tombstone);
      this.#retire(heldSegment, heldOffset, partition, hash);
      if (this.#isBelowFloor(partition, kind, counter, node)) this.versions.late[partition] = 1;
    }
    this.versions.add(partition, hash, kind, segment.view, offset);
    this.#count(segment.view, offset, kind, 1);
    segment.gainLive(offset, bytes);
    this.liveBytes += bytes;
    return Verdict.newest;
  }

  /** What `admit` would say of such a version, from the outside of the log. */
  judge(
    hash: number,
    view: DataView,
    keyStart: number,
    keyLength: number,
    kind: number,
    counter: number,
    node: number,
  ): number {
    const isEntry = kind === RecordKind.counterEntry;
    const held = this.index.find(hash, view, keyStart, keyLength, isEntry);
    if (held === 0) {
      const partition = this.index.foundPartition;
      const below = this.#isBelowFloor(partition, kind, counter, node) && !this.lost.has(hash);
      return below ? this.#belowFloor(partition) : Verdict.newest;
    }
    return this.#compare(this.segments.segmentAt(held).view, this.segments.offsetAt(held), kind, counter, node);
  }

  /** Whether the record at `offset` takes the place of one of the same key elsewhere. */
  replaces(segment: Segment, offset: number, held: Segment, heldOffset: number): boolean {
    const { view } = segment;
    const kind = kindOf(recordKindLength(view, offset));
    const counter = recordCounter(view, offset);
    const verdict = this.#compareAt(held.view, heldOffset, view, offset, kind, counter, recordNode(view, offset));
    return verdict === Verdict.newest;
  }

  /** Admits the meta record at `offset` and returns its name; the highest LSN of a name is in force. */
  admitMeta(segment: Segment, offset: number, lsn: number): string {
    const name = this.#metaName(segment, offset);
    const held = this.#metas.get(name);
    if (held !== undefined && held.lsn > lsn) return name;
    if (held !== undefined) this.#loseLive(held.segment, held.offset, sizeAt(held.segment.view, held.offset));
    this.#metas.set(name, { segment, offset, lsn });
    const bytes = sizeAt(segment.view, offset);
    segment.gainLive(offset, bytes);
    this.liveBytes += bytes;
    return name;
  }

  /** A copy of the value in force; undefined when there is none of this name. */
  meta(name: string): Uint8Array | undefined {
    const entry = this.#metas.get(name);
    if (entry === undefined) return undefined;
    const { view, bytes } = entry.segment;
    const start = entry.offset + RECORD_HEADER_BYTES + recordKeyLength(view, entry.offset);
    return bytes.slice(start, entry.offset + lengthOf(recordKindLength(view, entry.offset)));
  }

  metaNames(): string[] {
    return [...this.#metas.keys()];
  }

  /** What is to become of the record at `offset` when its segment is left behind. Hot: once per record compacted. */
  fate(segment: Segment, offset: number): number {
    const { view } = segment;
    const kind = kindOf(recordKindLength(view, offset));
    if (kind === RecordKind.meta) {
      const held = this.#metas.get(this.#metaName(segment, offset));
      return held?.segment === segment && held.offset === offset ? Fate.move : Fate.drop;
    }
    if (!isData(kind)) return Fate.drop;
    const keyLength = recordKeyLength(view, offset);
    const keyStart = offset + RECORD_HEADER_BYTES;
    const hash = recordHash(kind, segment.bytes, view, keyStart, keyLength, this.hashSeed);
    if (this.index.findLocation(hash, this.segments.locationOf(segment, offset))) return Fate.move;
    // The common case, decided without a look at the newer version.
    if (kind !== RecordKind.tombstone && recordFlags(view, offset) === 0) return Fate.drop;
    if (this.index.find(hash, view, keyStart, keyLength, false) !== 0) return Fate.drop;
    // What was dropped with its partition, a start leaves out, and all older versions with it.
    if (segment.lsnOf(recordLsnLow(view, offset)) <= this.dropped[this.index.foundPartition]) return Fate.drop;
    if (kind === RecordKind.tombstone) return Fate.carry;
    // An expired value that was purged hides older versions too. One that no floor covers must not come back itself.
    return isRecordPurgedBy(this.floors.of(this.index.foundPartition), view, offset) ? Fate.carry : Fate.drop;
  }

  /**
   * Where in the 16 bytes from `unit` on the record begins that is in force there (`Segment.nextLive`); 0 when damage hides
   * it. A place counts only if the index leads there, so no content of a value is taken for a record. Hot.
   */
  liveAt(segment: Segment, unit: number): number {
    for (let offset = unit; offset < unit + 16; offset += 4) {
      if (headerIsPlausible(segment, offset) && this.fate(segment, offset) === Fate.move) return offset;
    }
    return 0;
  }

  /**
   * A record was copied to another place: whatever still points to the old one points to the new one. Says whether
   * anything did. The LSN and all else stays.
   */
  relocate(from: Segment, fromOffset: number, to: Segment, toOffset: number): boolean {
    const view = from.view;
    const kindLength = recordKindLength(view, fromOffset);
    if (kindOf(kindLength) === RecordKind.meta) {
      const name = this.#metaName(from, fromOffset);
      const held = this.#metas.get(name);
      if (held === undefined || held.segment !== from || held.offset !== fromOffset) return false;
      this.#metas.set(name, { segment: to, offset: toOffset, lsn: held.lsn });
    } else {
      const keyLength = recordKeyLength(view, fromOffset);
      const keyStart = fromOffset + RECORD_HEADER_BYTES;
      const hash = recordHash(kindOf(kindLength), from.bytes, view, keyStart, keyLength, this.hashSeed);
      if (!this.index.findLocation(hash, this.segments.locationOf(from, fromOffset))) return false;
      this.index.replaceFound(this.segments.locationOf(to, toOffset));
    }
    const bytes = paddedRecordBytes(lengthOf(kindLength));
    from.loseLive(fromOffset, bytes);
    to.gainLive(toOffset, bytes);
    return true;
  }

  /**
   * Forgets the version at `location`: its key is absent from now on. The record stays in the log until compaction may
   * drop it. False when the index no longer points there.
   */
  erase(location: number): boolean {
    const segment = this.segments.segmentAt(location);
    const offset = this.segments.offsetAt(location);
    const keyStart = offset + RECORD_HEADER_BYTES;
    const keyLength = recordKeyLength(segment.view, offset);
    const kind = kindOf(recordKindLength(segment.view, offset));
    const hash = recordHash(kind, segment.bytes, segment.view, keyStart, keyLength, this.hashSeed);
    if (!this.index.findLocation(hash, location)) return false;
    this.index.eraseFound();
    this.#retire(segment, offset, this.index.foundPartition, hash);
    return true;
  }

  /** As `erase`, of a tombstone only; false for any other location, 0 included. */
  eraseTombstone(location: number): boolean {
    if (location === 0) return false;
    const { view } = this.segments.segmentAt(location);
    const kindLength = recordKindLength(view, this.segments.offsetAt(location));
    return kindOf(kindLength) === RecordKind.tombstone && this.erase(location);
  }

  /**
   * A meta record with this name was read back. If it says that a partition was dropped, what came before is forgotten, at
   * this very place of the log: a later version of a key counts although an earlier one has a higher stamp.
   */
  applyDrop(name: string): void {
    const partition = partitionOfDropMeta(name);
    const value = partition === undefined ? undefined : this.meta(name);
    if (partition === undefined || value === undefined || partition >= this.index.partitions) return;
    this.dropped[partition] = decodeDrop(value);
    eraseDropped(this, partition, 0, Number.POSITIVE_INFINITY);
  }

  /**
   * Takes the floors from their meta records and erases what they purged: recovery admits everything first, so that a
   * purged tombstone still hides the older versions in the log (mechanisms: Purging tombstones, ×).
   */
  applyFloors(): void {
    for (const name of this.#metas.keys()) {
      const partition = partitionOfFloorMeta(name);
      const value = partition === undefined ? undefined : this.meta(name);
      if (partition === undefined || value === undefined || partition >= this.index.partitions) continue;
      const floor = decodeFloor(value);
      if (floor.counter > this.highestCounter) this.highestCounter = floor.counter;
      if ((this.#metas.get(name)?.lsn ?? 0) <= this.dropped[partition]) continue;
      this.purge(partition, floor);
    }
  }

  /**
   * Raises a partition's floor and erases what it covers and has an LSN up to that of the floor; the caller keeps it.
   * Returns how many those were.
   */
  purge(partition: number, floor: KeptFloor): number {
    this.floors.raise(partition, floor);
    this.versions.late[partition] = 0;
    if (this.versions.mortal[partition] === 0) return 0;
    const { segments } = this;
    const purged: number[] = [];
    this.index.each(partition, (_hash, location) => {
      const segment = segments.segmentAt(location);
      const offset = segments.offsetAt(location);
      if (!isRecordPurgedBy(floor, segment.view, offset)) return;
      if (segment.lsnOf(recordLsnLow(segment.view, offset)) <= floor.lsn) purged.push(location);
      else this.versions.late[partition] = 1;
    });
    for (const location of purged) this.erase(location);
    return purged.length;
  }

  /** The record at `offset` was copied although the index does not point to it. */
  noteHiding(segment: Segment, offset: number): void {
    const kind = kindOf(recordKindLength(segment.view, offset));
    if (kind === RecordKind.meta) return;
    this.#noteHiding(segment, offset, kind, sizeAt(segment.view, offset));
  }

  /** Builds the index again from the segments, after `place`. */
  rebuild(): void {
    this.keys = 0;
    this.tombstones = 0;
    this.serialKeys = 0;
    this.serialTombstones = 0;
    this.entries = 0;
    this.liveBytes = 0;
    this.#metas.clear();
    for (const segment of this.segments.ordered) {
      segment.loseAllLive();
      segment.tombstoneBytes = 0;
      segment.expiringBytes = 0;
      this.#admitAll(segment);
    }
    this.applyFloors();
  }

  #admitAll(segment: Segment): void {
    const { bytes, view } = segment;
    let size = 0;
    for (let offset = SEGMENT_HEADER_BYTES; offset < segment.tail; offset += size) {
      const kindLength = recordKindLength(view, offset);
      const kind = kindOf(kindLength);
      size = paddedRecordBytes(lengthOf(kindLength));
      if (kind === RecordKind.meta) {
        this.applyDrop(this.admitMeta(segment, offset, segment.lsnOf(recordLsnLow(view, offset))));
      }
      if (!isData(kind)) continue;
      const keyLength = recordKeyLength(view, offset);
      const hash = recordHash(kind, bytes, view, offset + RECORD_HEADER_BYTES, keyLength, this.hashSeed);
      this.admit(segment, offset, size, kind, recordCounter(view, offset), recordNode(view, offset), hash, keyLength);
    }
  }

  #compareAt(
    heldView: DataView,
    heldOffset: number,
    view: DataView,
    offset: number,
    kind: number,
    counter: number,
    node: number,
  ): number {
    if (kind !== RecordKind.serial || kindOf(recordKindLength(heldView, heldOffset)) !== RecordKind.serial) {
      return this.#compare(heldView, heldOffset, kind, counter, node);
    }
    // Both are states of this node's acceptor.
    const order = compareSerialRecords(view, offset, heldView, heldOffset);
    if (order > 0) return Verdict.newest;
    return order === 0 ? Verdict.duplicate : Verdict.superseded;
  }

  #compare(heldView: DataView, heldOffset: number, kind: number, counter: number, node: number): number {
    const heldCounter = recordCounter(heldView, heldOffset);
    const heldNode = recordNode(heldView, heldOffset);
    const heldKind = kindOf(recordKindLength(heldView, heldOffset));
    this.heldSerial = heldKind === RecordKind.serial;
    if (kind !== heldKind) {
      if (kind === RecordKind.serial) return Verdict.newest;
      if (heldKind === RecordKind.serial) {
        this.heldCounter = heldCounter;
        this.heldNode = heldNode;
        return Verdict.superseded;
      }
    }
    const order = compareStamps(counter, node, heldCounter, heldNode);
    if (order > 0) return Verdict.newest;
    // An eviction of exactly the value that is held (model/version-order.ts).
    if (order === 0 && kind === RecordKind.tombstone && heldKind === RecordKind.value) return Verdict.newest;
    this.heldCounter = heldCounter;
    this.heldNode = heldNode;
    return order === 0 ? Verdict.duplicate : Verdict.superseded;
  }

  /** Purged here, or never written here and older than all that was purged: both count as deleted at the floor. */
  #belowFloor(partition: number): number {
    this.heldCounter = this.floors.counters[partition];
    this.heldNode = this.floors.nodes[partition];
    this.heldSerial = false;
    return Verdict.superseded;
  }

  /** The record is not the newest of its key from the start: compaction must know of it. */
  #noteRefused(segment: Segment, offset: number, kind: number, bytes: number): void {
    if (kind !== RecordKind.tombstone) segment.late = true;
    this.#noteHiding(segment, offset, kind, bytes);
  }

  /** The index does not point to this record; if it is purged, it may have to be carried on. */
  #noteHiding(segment: Segment, offset: number, kind: number, bytes: number): void {
    if (kind === RecordKind.tombstone) segment.tombstoneBytes += bytes;
    else if (recordFlags(segment.view, offset) !== 0) segment.expiringBytes += bytes;
  }

  /** The record is no longer what the index points to. */
  #retire(segment: Segment, offset: number, partition: number, hash: number): void {
    const kindLength = recordKindLength(segment.view, offset);
    const kind = kindOf(kindLength);
    this.versions.remove(partition, hash, kind, segment.view, offset);
    const bytes = paddedRecordBytes(lengthOf(kindLength));
    this.#count(segment.view, offset, kind, -1);
    this.#noteHiding(segment, offset, kind, bytes);
    this.#loseLive(segment, offset, bytes);
  }

  /** No floor speaks of serial states, nor of entries of counters, which are never deleted. */
  #isBelowFloor(partition: number, kind: number, counter: number, node: number): boolean {
    return (
      kind !== RecordKind.serial && kind !== RecordKind.counterEntry && this.floors.covers(partition, counter, node)
    );
  }

  /** What stands at `offset` came into the index (`by` 1), or left it (-1). */
  #count(view: DataView, offset: number, kind: number, by: number): void {
    if (kind === RecordKind.counterEntry) {
      this.entries += by;
      return;
    }
    const hasValue = recordHasValue(view, offset);
    if (kind === RecordKind.serial) {
      this.serialKeys += by;
      if (!hasValue) this.serialTombstones += by;
    }
    if (hasValue) this.keys += by;
    else this.tombstones += by;
  }

  #loseLive(segment: Segment, offset: number, bytes: number): void {
    segment.loseLive(offset, bytes);
    this.liveBytes -= bytes;
  }

  #metaName(segment: Segment, offset: number): string {
    const start = offset + RECORD_HEADER_BYTES;
    return UTF_8.decode(segment.bytes.subarray(start, start + recordKeyLength(segment.view, offset)));
  }
}

function sizeAt(view: DataView, offset: number): number {
  return paddedRecordBytes(lengthOf(recordKindLength(view, offset)));
}
