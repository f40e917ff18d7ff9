import { RECORD_BYTES_MAX } from '../model/record.js';
import { BATCH_HEADER_BYTES } from './batch-header.js';
import type { BufferPool } from './buffer-pool.js';
import type { Catalog } from './catalog.js';
import type { LogWriter } from './log-writer.js';
import type { SealedFiles } from './sealed-files.js';
import { Segment } from './segment.js';
import { keptBytes } from './segment-copy.js';
import { segmentPath, writeSegmentHeader } from './segment-header.js';
import { BATCH_OVERHEAD_BYTES, META_RESERVE_BYTES, type SegmentSizes, usableBytes } from './segment-sizes.js';
import type { SegmentSupply } from './segment-supply.js';
import type { SegmentTable } from './segment-table.js';
import { StorageError } from './storage-error.js';
import type { Room } from './store-options.js';

/** Files behind the log: absent when nothing is durable. */
export interface LogFiles {
  readonly supply: SegmentSupply;
  readonly writer: LogWriter;
  readonly sealed: SealedFiles;
}

/**
 * The segment that takes appends, and its change to the next. Memory comes first: right after a start the active segment
 * may still wait for its file, and takes meta records meanwhile.
 */
export class ActiveLog {
  readonly #catalog: Catalog;
  readonly #segments: SegmentTable;
  readonly #files: LogFiles | undefined;
  readonly #pool: BufferPool;
  readonly #readLsn: () => number;
  readonly #sizes: SegmentSizes;
  /** The largest record: what an empty segment takes, and what 28 bits can say. */
  readonly #usableBytes: number;
  #nextId: number;
  /** Touched bytes of all segments but the active one. */
  #sealedBytes = 0;
  active: Segment;
  lastLsn: number;
  /** Called when a segment was sealed. */
  onSealed: (segment: Segment) => void = () => {};

  /** Goes on in `continued`, or in a new segment behind `previous`. */
  constructor(
    catalog: Catalog,
    files: LogFiles | undefined,
    pool: BufferPool,
    readLsn: () => number,
    sizes: SegmentSizes,
    lastLsn: number,
    previous: { readonly id: number; readonly end: number },
    continued: Segment | undefined,
  ) {
    this.#catalog = catalog;
    this.#segments = catalog.segments;
    this.#files = files;
    this.#pool = pool;
    this.#readLsn = readLsn;
    this.#sizes = sizes;
    this.#usableBytes = Math.min(RECORD_BYTES_MAX, usableBytes(files === undefined ? sizes.bytesMax : sizes.bytesMin));
    this.#nextId = previous.id + 1;
    this.lastLsn = lastLsn;
    for (const segment of catalog.segments.ordered) {
      if (segment !== continued) this.#sealedBytes += touchedBytes(segment);
    }
    this.active = continued ?? this.#open(previous.id, previous.end, 0);
  }

  /** Memory of the segments that was touched, spare buffers included. */
  get touchedBytes(): number {
    return this.#sealedBytes + touchedBytes(this.active) + this.#pool.bytes;
  }

  /** Whether `bytes`, padded, can be appended. Hot. */
  room(bytes: number): Room {
    const { active } = this;
    const files = this.#files;
    // The configuration keeps values below this: such a record never fits.
    if (bytes > this.#usableBytes) return 'memory-full';
    const needed = active.tail + BATCH_OVERHEAD_BYTES + bytes;
    if (files === undefined) {
      return needed <= active.capacity || this.#segments.hasFreeSlot ? 'ok' : 'memory-full';
    }
    if (files.writer.full) return 'disk-full';
    if (active.file !== undefined) {
      if (needed + META_RESERVE_BYTES <= active.capacity) return 'ok';
      if (files.supply.count > 0 && this.#segments.hasFreeSlot) return 'ok';
    }
    if (!this.#segments.hasFreeSlot) return 'memory-full';
    return files.supply.full ? 'disk-full' : 'busy';
  }

  /** Whether records of `bytes` altogether, the largest of `largest`, can be appended one after the other. */
  roomForRun(bytes: number, largest: number): Room {
    if (this.#files === undefined) return this.room(largest);
    const { supply } = this.#files;
    if (bytes <= this.#usableBytes) return this.room(bytes);
    let free = this.freeBytes;
    for (const next of supply.readyBytes) free += Math.max(0, usableBytes(next) - largest);
    return bytes + largest <= free && this.#segments.hasFreeSlot ? this.room(largest) : 'busy';
  }

  /**
   * Where the next `bytes` of records go in `active`, which may have become another segment by this call. Room for them
   * is certain, the batch has its header. `advance` follows. Hot.
   */
  place(bytes: number): number {
    let segment = this.active;
    if (bytes > this.freeBytes) {
      segment = this.#roll(bytes);
    }
    this.#files?.writer.openBatch(segment);
    return segment.tail;
  }

  /** Bytes of records that the active segment still takes. */
  get freeBytes(): number {
    const { active } = this;
    const header = active.openHeader === 0 ? BATCH_HEADER_BYTES : 0;
    return active.capacity - BATCH_HEADER_BYTES - header - active.tail;
  }

  /** One record of `bytes`, padded, was put at the place; returns its LSN. Hot. */
  advance(bytes: number): number {
    const { active } = this;
    const lsn = this.lastLsn + 1;
    this.lastLsn = lsn;
    active.tail += bytes;
    active.lastLsn = lsn;
    if (this.#files !== undefined) this.#files.writer.lastLsn = lsn;
    return lsn;
  }

  /** Gives the active segment the file that it waits for. */
  attachFile(): void {
    const { active } = this;
    const files = this.#files;
    if (files === undefined || active.file !== undefined) return;
    const prepared = files.supply.take();
    files.supply.refill();
    if (prepared === undefined) return;
    if (prepared.id !== active.id || prepared.bytes !== active.capacity) {
      throw new Error(`file ${prepared.id} came for segment ${active.id}`);
    }
    active.file = prepared.file;
    files.writer.resume();
  }

  #roll(bytes: number): Segment {
    const sealed = this.active;
    const ready = this.#segments.hasFreeSlot && (this.#files === undefined || this.#files.supply.count > 0);
    if (!ready || bytes > this.#usableBytes) {
      throw new StorageError('full', segmentPath(sealed.id), sealed.tail, `no room in the log for ${bytes} bytes`);
    }
    // The file must end where the next one says that it does: not behind a header that nothing took the place of.
    if (sealed.closingHeaderAt === sealed.tail) this.#files?.writer.openBatch(sealed);
    this.#sealedBytes += touchedBytes(sealed);
    this.active = this.#open(sealed.id, sealed.tail, bytes);
    this.#files?.writer.seal(sealed);
    this.#files?.sealed.add(sealed);
    this.#releaseDead();
    this.onSealed(sealed);
    this.#files?.supply.refill();
    return this.active;
  }

  /** Whether nobody writes this segment or reads it by its place any more: it can be copied and left behind. */
  isAtRest(segment: Segment, readLsn: number): boolean {
    if (segment === this.active || segment.leaving || segment.pins > 0 || segment.lastLsn >= readLsn) return false;
    return this.#files === undefined || (segment.file === undefined && segment.durableOffset === segment.tail);
  }

  /** The lowest LSN that somebody reads by its place. */
  get readLsn(): number {
    return this.#readLsn();
  }

  /** A copy, complete in memory, takes the place of segments that follow each other; without one nothing is left of them. */
  replace(group: readonly Segment[], copy: Segment | undefined): void {
    this.#segments.replace(group, copy);
    for (const segment of group) {
      this.#sealedBytes -= touchedBytes(segment);
      this.#pool.give(segment.bytes.buffer as ArrayBuffer);
    }
    if (copy !== undefined) this.#sealedBytes += touchedBytes(copy);
  }

  /**
   * Takes the memory of segments in which nothing is newest any more, for segments to come: without that, overwriting
   * always touches fresh memory, which costs more than the write itself. Their files go the same way.
   *
   * Invariant: the index points to no released segment, and nobody reads one: its last LSN is below `readLsn`.
   */
  #releaseDead(): void {
    const readLsn = this.#readLsn();
    const dead = this.#segments.ordered.filter(
      (segment) => keptBytes(segment) === 0 && this.isAtRest(segment, readLsn),
    );
    if (dead.length === 0) return;
    for (const segment of dead) this.replace([segment], undefined);
    this.#files?.sealed.drop(dead);
  }

  /** The next segment, for a record of `bytes`. */
  #open(previousId: number, previousEnd: number, bytes: number): Segment {
    const id = this.#files?.supply.nextReadyId ?? this.#nextId++;
    const memory = this.#pool.take(this.#files?.supply.nextBytes ?? this.#sizes.bytesFor(bytes));
    const segment = new Segment(id, id, memory.buffer, this.lastLsn + 1);
    if (memory.recycled) segment.touchedBytes = segment.capacity;
    writeSegmentHeader(segment.view, {
      id,
      generation: segment.generation,
      firstLsn: segment.firstLsn,
      capacity: segment.capacity,
      previousId,
      previousEnd,
      keysHint: this.#catalog.keys + this.#catalog.tombstones,
    });
    segment.file = this.#files?.supply.take()?.file;
    this.#segments.add(segment);
    return segment;
  }
}

function touchedBytes(segment: Segment): number {
  return Math.max(segment.tail, segment.touchedBytes) + segment.liveMapBytes;
}
