import { copyBytes, type SerialState } from '@memdb/protocol';
import { contentHash } from '../model/content-hash.js';
import {
  expiryBytes,
  paddedRecordBytes,
  RECORD_HEADER_BYTES,
  RecordFlag,
  RecordKind,
  recordBytes,
  recordSalt,
  writeDeadline,
  writeRecordHeader,
} from '../model/record.js';
import { ActiveLog, type LogFiles } from './active-log.js';
import { BufferPool } from './buffer-pool.js';
import type { Catalog } from './catalog.js';
import { Compactor } from './compactor.js';
import { CounterEntries } from './counter-entries.js';
import { EvictionCandidates } from './eviction-candidates.js';
import { ExpiredKeys } from './expired-keys.js';
import { FoundRecord } from './found-record.js';
import { LogCursor } from './log-cursor.js';
import { type LogSnapshot, takeSnapshot } from './log-snapshot.js';
import { closeLogFiles, makeLogFiles } from './make-log-files.js';
import { openLog } from './open-log.js';
import { dropMetaName, encodeDrop, PartitionDrops } from './partition-drop.js';
import { decodePlacement, encodePlacement, PLACEMENT_META, type Placement } from './placement.js';
import type { RecoveredLog } from './recovery.js';
import { type OnRefused, RunIntake } from './run-intake.js';
import { ScanWindow } from './scan-window.js';
import { SegmentSizes } from './segment-sizes.js';
import { SerialIntake } from './serial-intake.js';
import { SerialStates } from './serial-states.js';
import { SerialWalk } from './serial-walk.js';
import type { Appended, Durability, Room, StoreOptions, StoreStats } from './store-options.js';
import { storeStats } from './store-stats.js';
import { VersionAudit } from './version-audit.js';
import { viewOf } from './view-of.js';

export type { OnRefused } from './run-intake.js';
export type { Durability, EvictionMode, Room, StoreOptions, StoreStats } from './store-options.js';

const UTF_8 = new TextEncoder();
const NO_BYTES = new Uint8Array(0);

/**
 * Keys and values of a node, in memory and durable: the log and the index over it.
 *
 * The caller stamps: the store keeps the newest stamp of each key, in whatever order versions come. Ask `room` before
 * `append`, call `commit` at the end of a turn, and speak of a record only when `durableLsn` has reached it.
 *
 * ```ts
 * if (store.room(recordBytes(3, 5), RecordKind.value) === 'ok') {
 *   const lsn = store.append(RecordKind.value, counter, node, hash, key, 0, 3, value, 0, 5, 0);
 *   store.commit();             // onDurable(n) with n >= lsn follows
 * }
 * ```
 */
export class Store {
  readonly #options: StoreOptions;
  readonly #catalog: Catalog;
  readonly #pool: BufferPool;
  readonly #log: ActiveLog;
  readonly #files: LogFiles | undefined;
  readonly #intake: RunIntake;
  readonly #serialIntake: SerialIntake;
  readonly #compactor: Compactor;
  readonly #drops: PartitionDrops;
  /** What the acceptors of this node know. */
  readonly serial: SerialStates;
  /** For comparing what is held with other replicas. */
  readonly audit: VersionAudit;
  /** What `lookup` found. */
  readonly found: FoundRecord = new FoundRecord();
  /** Counts what has expired. */
  readonly expired: ExpiredKeys;
  /** Finds serial keys to see to. */
  readonly serialWalk: SerialWalk;
  /** What there is to evict. */
  readonly candidates: EvictionCandidates;
  /** Entries of counters. */
  readonly entries: CounterEntries;
  /** What scans read the index through. */
  readonly scanWindow: ScanWindow;
  /** What `append` appended. */
  readonly appended: Appended;
  /** Views of the buffers that the last append read from: callers use the same few over and over. */
  #keyBytes: Uint8Array = NO_BYTES;
  #keyView: DataView = viewOf(NO_BYTES);
  #valueBytes: Uint8Array = NO_BYTES;
  #valueView: DataView = viewOf(NO_BYTES);
  #announcedLsn: number;
  /** Where the log ended at the last `commit`. */
  #committedLsn: number;
  /** `room` has said no since `onRoom` was called. */
  #refused = false;
  #closed = false;

  private constructor(options: StoreOptions, recovered: RecoveredLog, pool: BufferPool) {
    this.#options = options;
    this.#catalog = recovered.catalog;
    this.audit = new VersionAudit(recovered.catalog, this, options);
    this.expired = new ExpiredKeys(recovered.catalog);
    this.serialWalk = new SerialWalk(recovered.catalog);
    this.candidates = new EvictionCandidates(recovered.catalog, options);
    if (options.eviction === 'lru') recovered.catalog.index.trackUse();
    this.#pool = pool;
    this.#announcedLsn = recovered.lastLsn;
    this.#committedLsn = recovered.lastLsn;
    const { segmentBytes, recordBytesMax = segmentBytes } = options;
    const filedBytes = options.disk === undefined ? 0 : recordBytesMax;
    const sizes = new SegmentSizes(segmentBytes, filedBytes, () => this.#catalog.liveBytes);
    this.#files = this.#makeFiles(recovered, sizes);
    this.#log = new ActiveLog(
      this.#catalog,
      this.#files,
      pool,
      options.readLsn ?? (() => Number.POSITIVE_INFINITY),
      sizes,
      recovered.lastLsn,
      recovered.previous,
      recovered.continued,
    );
    this.serial = new SerialStates(this.#catalog, this.append.bind(this));
    this.#serialIntake = new SerialIntake(this.#catalog, this.serial);
    this.#intake = new RunIntake(this.#catalog, this.#log, this.#serialIntake);
    this.#drops = new PartitionDrops(this.#catalog, options.timers);
    this.scanWindow = new ScanWindow(this.#catalog);
    this.entries = new CounterEntries(this.#catalog, this);
    this.audit.scrub.onEvicted = (partition) => this.entries.open(partition);
    this.appended = { segment: this.#log.active, offset: 0, bytes: 0 };
    this.#compactor = new Compactor({
      ...options,
      ...recovered,
      log: this.#log,
      files: this.#files?.sealed,
      pool,
      sizes,
      accountedBytes: () => this.accountedBytes,
      onFreed: () => this.#announceRoom(),
    });
    this.#files?.supply.refill();
  }

  /**
   * Reads the log back and goes on behind it.
   * Throws `StorageError`: `corrupt`, with file and offset, when durable data is damaged; `unsupported-format`; `full`
   * when the disk has no room for the tail that must be written again. Throws `DiskError` when the disk fails.
   */
  static open(options: StoreOptions): Store {
    const pool = new BufferPool();
    return new Store(options, openLog(options, pool), pool);
  }

  get durability(): Durability {
    return this.#options.durability;
  }

  /** The newest record in memory. */
  get lastLsn(): number {
    return this.#log.lastLsn;
  }
  /** Records up to here may be spoken of: synced in mode `sync`, written in `interval`, all in `none`. */
  get durableLsn(): number {
    const writer = this.#files?.writer;
    if (writer === undefined) return this.#log.lastLsn;
    return this.#options.durability === 'sync' ? writer.syncedLsn : writer.writtenLsn;
  }
  /** Records up to here are on the device, whatever the mode; all of them in mode `none`. */
  get syncedLsn(): number {
    return this.#files === undefined ? this.#log.lastLsn : this.#files.writer.syncedLsn;
  }
  /** The placement in force, and whether `configurePlacement` made it so, in this run or an earlier one. */
  get placement(): Placement & { readonly configured: boolean } {
    const { index, hashSeed } = this.#catalog;
    const configured = this.#catalog.meta(PLACEMENT_META) !== undefined;
    return { partitions: index.partitions, hashSeed, configured };
  }

  /** Divides the keys in this way from now on, and keeps it in the log. Rebuilds the index if there are any keys. */
  configurePlacement(partitions: number, hashSeed: number): void {
    const placement: Placement = { partitions, hashSeed: hashSeed >>> 0 };
    const kept = decodePlacement(this.#catalog.meta(PLACEMENT_META));
    if (kept?.partitions !== placement.partitions || kept.hashSeed !== placement.hashSeed) {
      this.putMeta(PLACEMENT_META, encodePlacement(placement));
    }
    if (this.#catalog.isPlacedAs(placement)) return;
    const empty = this.#catalog.isEmpty;
    this.#compactor.abandon();
    this.#catalog.place(placement);
    if (!empty) this.#catalog.rebuild();
  }

  /**
   * Whether the log knows the key `view[keyStart, keyStart + keyLength)` with this hash; `found` describes its newest
   * record, value or tombstone. After a miss `found` has the stamp that an absent key answers with, the floor of its
   * partition: no version at or below it can come back. Hot.
   */
  lookup(hash: number, _bytes: Uint8Array, view: DataView, keyStart: number, keyLength: number): boolean {
    const { index, segments, lost } = this.#catalog;
    const location = index.find(hash, view, keyStart, keyLength, false);
    const { found } = this;
    found.lost = lost.size !== 0 && lost.has(hash);
    if (location === 0) return found.miss(this.#catalog.floors, index.foundPartition);
    found.read(segments.segmentAt(location), segments.offsetAt(location), keyLength);
    found.durable = found.lsn <= this.durableLsn;
    if (found.kind === RecordKind.value) index.noteRead();
    return true;
  }

  /**
   * Keys with these hashes are looked up next (`values`: and their values read): brings what that takes into the
   * processor's cache, all of them at once. Changes nothing. Hot.
   */
  warm(hashes: Float64Array, count: number, values: boolean): void {
    this.#catalog.index.warm(hashes, count, values);
    if (!values) this.#catalog.versions.warm(hashes, count);
  }

  /** Whether a record of `bytes` (header, key, deadline and value) can be appended now. Tombstones pass the memory bound. Hot. */
  room(bytes: number, kind: number): Room {
    const size = paddedRecordBytes(bytes);
    const max = this.#options.memoryBytesMax;
    let room: Room = this.#closed ? 'busy' : this.#log.room(size);
    if (max > 0 && room === 'ok' && kind !== RecordKind.tombstone && this.accountedBytes + size > max) {
      room = 'memory-full';
    }
    if (room !== 'ok') this.#refused = true;
    return room;
  }

  /** What the memory bound counts: touched memory of segments, and the index. */
  get accountedBytes(): number {
    return this.#log.touchedBytes + this.#compactor.copyBytes + this.#catalog.index.bytes;
  }

  /**
   * Appends one record with the stamp (`counter`, `node`); key and value are copied. A value with `expiresAtMs` (wall
   * clock, Unix milliseconds) carries it as its deadline; 0: it never expires. The index follows when the stamp is the
   * newest of the key. Returns the record's LSN; `appended` says where it lies. `room` was asked before: throws
   * `StorageError` `full` where it would have refused. Hot.
   */
  append(
    kind: number,
    counter: number,
    node: number,
    hash: number,
    bytes: Uint8Array,
    keyStart: number,
    keyLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
    expiresAtMs: number,
  ): number {
    if (bytes !== this.#keyBytes) {
      this.#keyBytes = bytes;
      this.#keyView = viewOf(bytes);
    }
    if (valueBytes !== this.#valueBytes) {
      this.#valueBytes = valueBytes;
      this.#valueView = viewOf(valueBytes);
    }
    const log = this.#log;
    const expiry = expiryBytes(expiresAtMs);
    const size = recordBytes(keyLength, expiry + valueLength);
    const offset = log.place(size);
    const segment = log.active;
    const { bytes: own, view } = segment;
    const lsnLow = (log.lastLsn + 1) >>> 0;
    // The padding; the rest of this word is overwritten.
    view.setUint32(offset + size - 4, 0, true);
    view.setUint32(offset, lsnLow, true);
    const length = RECORD_HEADER_BYTES + keyLength + expiry + valueLength;
    const flags = expiry === 0 ? 0 : RecordFlag.expires;
    writeRecordHeader(view, offset, kind, length, keyLength, counter, node, flags);
    const keyAt = offset + RECORD_HEADER_BYTES;
    copyBytes(own, view, keyAt, bytes, this.#keyView, keyStart, keyLength);
    if (expiry !== 0) writeDeadline(view, keyAt + keyLength, expiresAtMs);
    copyBytes(own, view, keyAt + keyLength + expiry, valueBytes, this.#valueView, valueStart, valueLength);
    const checksum = contentHash(view, offset + 8, offset + size) + recordSalt(segment.generation, offset, lsnLow);
    view.setInt32(offset + 4, checksum | 0, true);
    const lsn = log.advance(size);
    if (kind === RecordKind.meta) this.#catalog.admitMeta(segment, offset, lsn);
    else this.#catalog.admit(segment, offset, size, kind, counter, node, hash, keyLength);
    const { appended } = this;
    appended.segment = segment;
    appended.offset = offset;
    appended.bytes = size;
    return lsn;
  }

  /**
   * Stores a run of records as a peer shipped it: `bytes[start, end)` lay at `senderOffset` in its segment of
   * `senderGeneration`. Each record is verified, gets a local LSN, and the index follows where its stamp is the newest.
   * `onRefused` is called for each that is superseded here; one that is held already with the same stamp counts as
   * stored. With `skipHeld` what is held or superseded is not copied again. The memory bound does not apply. States of serial
   * keys are relayed Accepts; with `isJoining` they are streamed to an owner of a pending epoch.
   *
   * False when there is no room: nothing was stored. Throws `StorageError` `bad-run` when anything does not verify:
   * nothing was stored either.
   */
  ingestRun(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    senderGeneration: number,
    senderOffset: number,
    skipHeld: boolean,
    onRefused: OnRefused,
    isJoining: boolean = false,
  ): boolean {
    const salted = senderOffset - start;
    const size = this.#intake.verify(view, start, end, senderGeneration, salted);
    if (this.#closed || this.#log.roomForRun(size, this.#intake.largest) !== 'ok') {
      this.#refused = true;
      return false;
    }
    if (this.#intake.bringsEntries) this.entries.onArriving(bytes, view, start, end);
    this.#intake.store(bytes, view, start, end, senderGeneration, salted, skipHeld, isJoining, onRefused);
    return true;
  }

  /** Takes in another replica's state of a serial key, for which there is room: a relayed Accept, or streamed (`isJoining`). */
  takeSerial(hash: number, key: Uint8Array, copy: SerialState, isJoining: boolean): void {
    this.#serialIntake.takeState(hash, key, viewOf(key), 0, key.length, copy, isJoining);
  }

  /**
   * Keeps a small value of the node's own under a name, in place of an earlier one; returns its LSN. Uses the reserve
   * when there is no room for others; throws `StorageError` `full` when that is used up too.
   */
  putMeta(name: string, value: Uint8Array): number {
    const key = UTF_8.encode(name);
    return this.append(RecordKind.meta, 0, 0, 0, key, 0, key.length, value, 0, value.length, 0);
  }

  /** A copy of the value kept last under this name, durable or not. */
  meta(name: string): Uint8Array | undefined {
    return this.#catalog.meta(name);
  }

  metaNames(): string[] {
    return this.#catalog.metaNames();
  }

  /**
   * Forgets a partition: what this node holds of it now, and how far it was purged. One record says so; a start that finds
   * it leaves out what came before. `done` is called, in a later turn, once all of it is out of the index; until then what
   * comes is still compared with it, and may be superseded. The log keeps it until compaction comes by.
   */
  drop(partition: number, done: () => void): void {
    const catalog = this.#catalog;
    this.entries.open(partition);
    this.putMeta(dropMetaName(partition), encodeDrop(this.#log.lastLsn));
    catalog.dropped[partition] = this.#log.lastLsn;
    catalog.floors.forget(partition);
    for (const key of catalog.lost.in(partition)) catalog.lost.settle(key);
    this.#drops.begin(partition, done);
  }

  /** Nothing of the partition with an LSN up to here counts; 0: it was never dropped. */
  droppedLsn(partition: number): number {
    return this.#catalog.dropped[partition];
  }

  /** Calls `done` once everything appended so far is on the device, also in mode `interval`; at once in mode `none`. */
  syncNow(done: () => void): void {
    if (this.#files === undefined) done();
    else this.#files.writer.syncNow(done);
  }

  /** Like `syncNow`, but waits for the ordinary course of things. */
  whenSynced(done: () => void): void {
    if (this.#files === undefined) done();
    else this.#files.writer.whenSynced(done);
  }

  /** The end of a turn: what was appended is written and synced, unless a sync is running; then right after it. */
  commit(): void {
    const { lastLsn } = this.#log;
    this.#compactor.keepUp(lastLsn - this.#committedLsn);
    this.#committedLsn = lastLsn;
    if (this.#files !== undefined) {
      this.#files.writer.commit();
    } else if (this.#announcedLsn !== this.#log.lastLsn) {
      this.#announcedLsn = this.#log.lastLsn;
      this.#options.onDurable(this.#announcedLsn);
    }
  }

  /** The highest counter of any stamp that was in the log. */
  highestCounter(): number {
    return this.#catalog.highestCounter;
  }

  /** Walks the records with an LSN above `afterLsn`. */
  logCursor(afterLsn: number): LogCursor {
    return new LogCursor(this.#catalog.segments, afterLsn);
  }

  /** The log as far as it is durable now; undefined for the moment (see `takeSnapshot`). */
  snapshot(): LogSnapshot | undefined {
    return takeSnapshot(this.#catalog.segments, this.#log.active, this.#files !== undefined);
  }

  stats(): StoreStats {
    return storeStats(this.#catalog, this.#pool, this.#files, this.accountedBytes, this.#log.active);
  }

  /** Writes and syncs what is left, then calls `done`. Nothing can be appended from now on. */
  close(done: (error?: Error) => void): void {
    this.#closed = true;
    this.audit.scrub.stop();
    this.#compactor.stop();
    this.#drops.stop();
    const files = this.#files;
    if (files === undefined) {
      done();
      return;
    }
    closeLogFiles(files, this.#log.active, done);
  }

  #makeFiles(recovered: RecoveredLog, sizes: SegmentSizes): LogFiles | undefined {
    return makeLogFiles(this.#options, recovered, sizes, {
      active: () => this.#log.active,
      expectsSpare: () => this.#files?.sealed.isReclaiming === true || this.#compactor.isBusy,
      onFatal: (error) => this.#fail(error),
      onSpace: () => this.#announceRoom(),
      onReady: () => {
        this.#log.attachFile();
        this.#announceRoom();
      },
    });
  }

  #announceRoom(): void {
    if (!this.#refused || this.#closed) return;
    this.#refused = false;
    this.#options.onRoom();
  }

  #fail(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.audit.scrub.stop();
    this.#compactor.stop();
    this.#drops.stop();
    this.#files?.writer.stop();
    this.#files?.sealed.close(() => {});
    this.#files?.supply.close(() => {});
    this.#options.telemetry.log('error', 'log-failed', { message: error.message });
    this.#options.onFatal(error);
  }
}
