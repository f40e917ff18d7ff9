import { contentHash } from '../model/content-hash.js';
import { recordHash } from '../model/counter-entry.js';
import {
  isData,
  isUnderstood,
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
  recordSalt,
} from '../model/record.js';
import { BATCH_HEADER_BYTES, provenOffsetOf, provenSegmentOf } from './batch-header.js';
import type { Catalog } from './catalog.js';
import { decodePlacement, PLACEMENT_META } from './placement.js';
import type { Segment } from './segment.js';
import { COPY_ID_FIRST, SEGMENT_HEADER_BYTES, segmentPath } from './segment-header.js';
import { StorageError } from './storage-error.js';

/** As many cache misses as a processor keeps under way at once, and some to spare. */
const ADMITTED_TOGETHER = 64;

/**
 * Reads segments in log order at start-up, verifies each record and admits it to the catalog. Nothing is allocated per
 * record; `test/micro/storage.ts` watches it.
 *
 * Looking up a key costs a cache miss or two, and a start does it for every record. So records that were verified wait
 * until there are some, the index brings what their lookups need into the cache at once, and then they are admitted, in
 * their order.
 */
export class ChainReader {
  readonly #catalog: Catalog;
  /** Offsets and key hashes of the records that wait. */
  readonly #offsets: Float64Array = new Float64Array(ADMITTED_TOGETHER);
  readonly #hashes: Float64Array = new Float64Array(ADMITTED_TOGETHER);
  #waiting = 0;
  /** LSN that the next record must have. */
  nextLsn = 1;
  /** The furthest point that a batch header proved so far. */
  provenSegment = 0;
  provenOffset = 0;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Reads records up to `end`; sets the segment's tail to where the first thing lies that is none, and its last LSN. */
  read(segment: Segment, end: number): void {
    const { bytes, view, generation } = segment;
    const catalog = this.#catalog;
    // What was dropped from a copy left a gap; in a segment of the chain a gap is damage.
    const mayHaveGaps = segment.id >= COPY_ID_FIRST;
    let offset = SEGMENT_HEADER_BYTES;
    let lsn = this.nextLsn;
    segment.headerBytes = 0;
    while (offset + RECORD_HEADER_BYTES <= end) {
      const kindLength = recordKindLength(view, offset);
      const length = lengthOf(kindLength);
      const size = paddedRecordBytes(length);
      if (length < RECORD_HEADER_BYTES || size > end - offset) break;
      const lsnLow = recordLsnLow(view, offset);
      if (lsnLow !== lsn >>> 0) {
        if (!mayHaveGaps || segment.lsnOf(lsnLow) < lsn) break;
        lsn = segment.lsnOf(lsnLow);
      }
      const checksum = (contentHash(view, offset + 8, offset + size) + recordSalt(generation, offset, lsnLow)) | 0;
      if (view.getInt32(offset + 4, true) !== checksum) break;
      const kind = kindOf(kindLength);
      const keyLength = recordKeyLength(view, offset);
      if (RECORD_HEADER_BYTES + keyLength > length || !isUnderstood(view, offset)) this.#unsupported(segment, offset);
      if (isData(kind)) {
        const keyStart = offset + RECORD_HEADER_BYTES;
        this.#offsets[this.#waiting] = offset;
        this.#hashes[this.#waiting] = recordHash(kind, bytes, view, keyStart, keyLength, catalog.hashSeed);
        if (++this.#waiting === ADMITTED_TOGETHER) this.#admitWaiting(segment);
        lsn++;
      } else if (kind === RecordKind.batchHeader && length === BATCH_HEADER_BYTES) {
        this.#noteProof(view, offset);
        segment.headerBytes += BATCH_HEADER_BYTES;
      } else if (kind === RecordKind.meta) {
        // It may say how keys are hashed from here on.
        this.#admitWaiting(segment);
        const name = catalog.admitMeta(segment, offset, lsn);
        if (name === PLACEMENT_META) this.#placeIfEmpty();
        else catalog.applyDrop(name);
        lsn++;
      } else {
        this.#unsupported(segment, offset);
      }
      offset += size;
    }
    this.#admitWaiting(segment);
    this.nextLsn = lsn;
    segment.tail = offset;
    segment.lastLsn = lsn - 1;
  }

  #admitWaiting(segment: Segment): void {
    const catalog = this.#catalog;
    const { view } = segment;
    const count = this.#waiting;
    this.#waiting = 0;
    catalog.index.warm(this.#hashes, count, false);
    for (let at = 0; at < count; at++) {
      const offset = this.#offsets[at];
      const kindLength = recordKindLength(view, offset);
      const size = paddedRecordBytes(lengthOf(kindLength));
      const counter = recordCounter(view, offset);
      const node = recordNode(view, offset);
      const keyLength = recordKeyLength(view, offset);
      catalog.admit(segment, offset, size, kindOf(kindLength), counter, node, this.#hashes[at], keyLength);
    }
  }

  #noteProof(view: DataView, offset: number): void {
    const segment = provenSegmentOf(view, offset);
    const proven = provenOffsetOf(view, offset);
    if (isBehind(segment, proven, this.provenSegment, this.provenOffset)) {
      this.provenSegment = segment;
      this.provenOffset = proven;
    }
  }

  /** The placement comes before the first key as a rule: then the index can be built for it from the start. */
  #placeIfEmpty(): void {
    const placement = decodePlacement(this.#catalog.meta(PLACEMENT_META));
    if (placement !== undefined && this.#catalog.isEmpty) this.#catalog.place(placement);
  }

  #unsupported(segment: Segment, offset: number): never {
    const path = segmentPath(segment.id);
    const message = `${path} holds a record at byte ${offset} that this version does not know. Start the version that wrote it.`;
    throw new StorageError('unsupported-format', path, offset, message);
  }
}

/** Whether the first point of the chain lies behind the second. */
export function isBehind(segment: number, offset: number, otherSegment: number, otherOffset: number): boolean {
  return segment > otherSegment || (segment === otherSegment && offset > otherOffset);
}
