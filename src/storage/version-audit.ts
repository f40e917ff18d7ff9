import { compareStamps, keyHash, SerialContent, serialContent, serialStamp } from '@memdb/protocol';
import {
  kindOf,
  lengthOf,
  paddedRecordBytes,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordCounter,
  recordKeyLength,
  recordKindLength,
  recordLsnLow,
  recordNode,
} from '../model/record.js';
import { serialBodyAt } from '../model/serial-record.js';
import type { Catalog } from './catalog.js';
import { encodeFloor, type Floor, floorMetaName, isRecordPurgedBy, type KeptFloor } from './floors.js';
import type { FoundRecord } from './found-record.js';
import type { LostKey } from './lost-keys.js';
import { carryOutPurge, FLOOR_RECORD_BYTES, planPurge } from './purge.js';
import { recordIsSound } from './record-check.js';
import { Scrub, type ScrubOptions } from './scrub.js';
import type { Segment } from './segment.js';
import type { Room } from './store-options.js';
import { AUDIT_TABLE_WORDS, bucketOfHash, toggle } from './version-table.js';

/** One newest version, as replicas name it to each other: an entry of a counter by the hash of its whole key. */
export interface ListedVersion {
  readonly hash: number;
  readonly counter: number;
  readonly node: number;
  readonly kind: number;
}

/** Takes a record that was asked for: it lies at `segment.bytes[offset, offset + bytes)`. False when no more are wanted. */
export type OnRecord = (segment: Segment, offset: number, bytes: number) => boolean;

/** Where floors are kept: the store. */
export interface MetaKeeper {
  room(bytes: number, kind: number): Room;
  putMeta(name: string, value: Uint8Array): number;
}

/**
 * The questions that replicas ask to find where they differ: tables, lists of a bucket, records. All of it speaks of the
 * index as it is now, durable or not: who answers waits for the log.
 *
 * A list walks over one partition's index, 2 ns a slot, so 10 µs at a million keys and 200 µs at 20 million; a table
 * does so, at 30 ns a key, while two floors differ and the partition has tombstones.
 */
export class VersionAudit {
  readonly #catalog: Catalog;
  readonly #metas: MetaKeeper;
  /** Of the last `tableOf`: tables that are equal speak of what has an LSN up to here. */
  comparableLsn: number = Number.POSITIVE_INFINITY;

  readonly scrub: Scrub;

  constructor(catalog: Catalog, metas: MetaKeeper, options: Omit<ScrubOptions, 'catalog'>) {
    this.#catalog = catalog;
    this.#metas = metas;
    this.scrub = new Scrub({ ...options, catalog });
    catalog.repair = (segment, offset) => this.scrub.repair(segment, offset);
  }

  /** Keys of the partition whose newest version was lost here to damage. */
  lostIn(partition: number): LostKey[] {
    return this.#catalog.lost.size === 0 ? [] : this.#catalog.lost.in(partition);
  }

  /** This replica compared equal with every other owner since it lost the key: true when it has a version of it again. */
  settleLost(key: LostKey): boolean {
    this.#catalog.lost.settle(key);
    let held = false;
    this.#catalog.index.eachOfHash(key.hash, () => {
      held = true;
    });
    return held;
  }

  /** Whether the record that a lookup found is what was written; sees to it that it is, or is gone, where it is not. */
  isSound({ segment, offset }: FoundRecord): boolean {
    if (segment === undefined || recordIsSound(segment, offset)) return true;
    this.#catalog.repair(segment, offset);
    return false;
  }

  floorOf(partition: number): Floor {
    return this.#catalog.floors.of(partition);
  }

  /** Forgets the tombstone of a key: purged, it goes on hiding older versions in the log. False for any other key. */
  erase(hash: number, view: DataView, keyStart: number, keyLength: number): boolean {
    return this.#catalog.eraseTombstone(this.#catalog.index.find(hash, view, keyStart, keyLength, false));
  }

  /** Tombstones and values that expire: what the partition may be rid of one day. */
  mortalOf(partition: number): number {
    return this.#catalog.versions.mortal[partition];
  }

  /** Keys of the partition, deleted ones included: what a walk over it costs. */
  keysOf(partition: number): number {
    return this.#catalog.index.countOf(partition);
  }

  /** All buckets of the partition combined: two words that are equal where the tables are. */
  rootOf(partition: number): { readonly first: number; readonly second: number } {
    const { words } = this.#catalog.versions;
    const base = partition * AUDIT_TABLE_WORDS;
    let first = 0;
    let second = 0;
    for (let at = base; at < base + AUDIT_TABLE_WORDS; at += 2) {
      first ^= words[at];
      second ^= words[at + 1];
    }
    return { first, second };
  }

  /**
   * The partition's table, a copy, without what its own floor or `other`, that of another replica, lets go of.
   * `comparableLsn` says afterwards up to where equal tables speak of what this replica holds.
   */
  tableOf(partition: number, other: Floor): Int32Array {
    const { versions, index, segments, floors } = this.#catalog;
    const base = partition * AUDIT_TABLE_WORDS;
    const table = versions.words.slice(base, base + AUDIT_TABLE_WORDS);
    const own = floors.of(partition);
    this.comparableLsn = Number.POSITIVE_INFINITY;
    const rises = compareStamps(other.counter, other.node, own.counter, own.node) > 0 || other.cutoffMs > own.cutoffMs;
    if (versions.mortal[partition] === 0 || !(rises || versions.late[partition] === 1)) return table;
    index.each(partition, (hash, location) => {
      const segment = segments.segmentAt(location);
      const { view } = segment;
      const offset = segments.offsetAt(location);
      const released = isRecordPurgedBy(other, view, offset);
      if (released || isRecordPurgedBy(own, view, offset)) {
        // It came in below the own floor: the other may lack it, and take in what is older.
        if (!released) this.comparableLsn = Math.min(this.comparableLsn, lsnAt(segment, offset) - 1);
        toggle(table, 0, hash, kindOf(recordKindLength(view, offset)), view, offset);
      }
    });
    return table;
  }

  /** Every newest version of a bucket, tombstones at or below a floor included; at most `limit`. */
  list(partition: number, bucket: number, limit: number): ListedVersion[] {
    const { index, segments } = this.#catalog;
    const listed: ListedVersion[] = [];
    index.each(partition, (hash, location) => {
      if (bucketOfHash(hash) !== bucket || listed.length === limit) return;
      listed.push(this.#listed(hash, segments.segmentAt(location), segments.offsetAt(location)));
    });
    return listed;
  }

  /** What is held here of the keys, and entries, of these versions. */
  likeThose(partition: number, versions: readonly ListedVersion[]): ListedVersion[] {
    const { index, segments } = this.#catalog;
    const listed: ListedVersion[] = [];
    for (const hash of new Set(versions.map((version) => version.hash))) {
      index.eachOfHash(hash, (location) => {
        const version = this.#listed(hash, segments.segmentAt(location), segments.offsetAt(location));
        if (version.kind !== RecordKind.counterEntry) listed.push(version);
      });
    }
    const entries = new Set(versions.filter(isEntry).map(({ hash }) => hash));
    if (entries.size === 0) return listed;
    this.#eachEntry(partition, (version) => {
      if (entries.has(version.hash)) listed.push(version);
    });
    return listed;
  }

  /** Every entry of a counter in the partition: a walk over its index, 5 ns a slot. */
  #eachEntry(partition: number, visit: (version: ListedVersion, segment: Segment, offset: number) => void): void {
    const { index, segments, versions } = this.#catalog;
    if (versions.entries[partition] === 0) return;
    index.each(partition, (hash, location) => {
      const segment = segments.segmentAt(location);
      const offset = segments.offsetAt(location);
      if (kindOf(recordKindLength(segment.view, offset)) !== RecordKind.counterEntry) return;
      visit(this.#listed(hash, segment, offset), segment, offset);
    });
  }

  #listed(hash: number, { bytes, view }: Segment, offset: number): ListedVersion {
    return listedVersion(bytes, view, offset, hash, this.#catalog.hashSeed);
  }

  /**
   * Erases tombstones and expired values of a partition, and raises its floor: what all other owners are known to hold
   * up to `evidenceLsn` of this log, while their clocks stood at `clock` or above. Deadlines up to `cutoffMs` on the
   * wall clock count as passed. Returns how many versions went; 0 when there is nothing, or no room for the floor.
   */
  purge(partition: number, evidenceLsn: number, cutoffMs: number, clock: number): number {
    if (this.#metas.room(FLOOR_RECORD_BYTES, RecordKind.tombstone) !== 'ok') return 0;
    const plan = planPurge(this.#catalog, partition, evidenceLsn, cutoffMs);
    if (plan === undefined) return 0;
    // Whoever holds a version has moved its clock past it; a later write there must not be stamped below the floor.
    if (plan.floor.counter > clock) throw new Error(`floor ${plan.floor.counter} is above an owner's clock, ${clock}`);
    carryOutPurge(this.#catalog, partition, plan, (name, floor) => this.#metas.putMeta(name, encodeFloor(floor)));
    return plan.versions;
  }

  /**
   * Takes over the floor of an owner all of whose state is held here, where there is none yet. Nothing is erased: what was
   * taken and lies at or below it goes with the first purge. False when there is no room for it.
   *
   * Only for who has just taken all that this owner holds, after it had that floor: it then knows what the owner knows,
   * the outcome of everything at or below (docs/epochs.md). Taking it over with less loses acknowledged writes.
   */
  adoptFloor(partition: number, floor: Floor): boolean {
    const own = this.floorOf(partition);
    if (own.counter !== 0 || own.cutoffMs !== 0 || (floor.counter === 0 && floor.cutoffMs === 0)) return true;
    if (this.#metas.room(FLOOR_RECORD_BYTES, RecordKind.tombstone) !== 'ok') return false;
    const kept: KeptFloor = { ...floor, lsn: 0 };
    this.#metas.putMeta(floorMetaName(partition), encodeFloor(kept));
    this.#catalog.purge(partition, kept);
    return true;
  }

  /**
   * Hands out the records of these versions, as far as the index still holds them and their checksums are right: a damaged
   * record never leaves this node as a good one. `onRecord` says whether there is room for more.
   */
  find(partition: number, wanted: readonly ListedVersion[], onRecord: OnRecord): void {
    const { index, segments } = this.#catalog;
    const found: { readonly segment: Segment; readonly offset: number }[] = [];
    for (const version of wanted) {
      if (isEntry(version)) continue;
      index.eachOfHash(version.hash, (location) => {
        const segment = segments.segmentAt(location);
        const offset = segments.offsetAt(location);
        const held = this.#listed(version.hash, segment, offset);
        if (held.counter !== version.counter || held.node !== version.node) return;
        if (held.kind !== RecordKind.counterEntry) found.push({ segment, offset });
      });
    }
    const entries = new Set(wanted.filter(isEntry).map(nameOf));
    if (entries.size > 0) {
      this.#eachEntry(partition, (version, segment, offset) => {
        if (entries.has(nameOf(version))) found.push({ segment, offset });
      });
    }
    const damaged: { readonly segment: Segment; readonly offset: number }[] = [];
    for (const { segment, offset } of found) {
      if (!recordIsSound(segment, offset)) damaged.push({ segment, offset });
      else if (!onRecord(segment, offset, paddedRecordBytes(lengthOf(recordKindLength(segment.view, offset))))) break;
    }
    for (const { segment, offset } of damaged) this.#catalog.repair(segment, offset);
  }
}

function isEntry({ kind }: ListedVersion): boolean {
  return kind === RecordKind.counterEntry;
}

function nameOf({ hash, counter, node }: ListedVersion): string {
  return `${hash} ${counter} ${node}`;
}

/** The record at `offset`, of what hashes to `hash`, as it is listed. */
export function listedVersion(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  hash: number,
  hashSeed: number,
): ListedVersion {
  const kind = kindOf(recordKindLength(view, offset));
  if (kind === RecordKind.serial && recordCounter(view, offset) === 0) {
    // A bare promise is this acceptor's own affair: what others may lack is the plain version under it.
    const body = serialBodyAt(view, offset);
    const plain = serialContent(view, body) === SerialContent.value ? RecordKind.value : RecordKind.tombstone;
    return { hash, ...serialStamp(view, body, 0, 0), kind: plain };
  }
  const isOfCounter = kind === RecordKind.counterEntry;
  const keyStart = offset + RECORD_HEADER_BYTES;
  return {
    // Entries of one counter all hash to the same: what names each is its id.
    hash: isOfCounter ? keyHash(bytes, view, keyStart, recordKeyLength(view, offset), hashSeed) : hash,
    counter: recordCounter(view, offset),
    node: recordNode(view, offset),
    kind,
  };
}

function lsnAt(segment: Segment, offset: number): number {
  return segment.lsnOf(recordLsnLow(segment.view, offset));
}
