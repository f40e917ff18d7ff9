import { type Disk, DiskError, type DiskFile } from '../ports/disk.js';
import { BATCH_HEADER_BYTES } from './batch-header.js';
import type { BufferPool } from './buffer-pool.js';
import { Catalog } from './catalog.js';
import { ChainReader, isBehind } from './chain-reader.js';
import { corrupt, findLogFiles, type LogFilesFound, largestSegment, readNamed } from './log-files.js';
import { copyRecords, hasRecordsBehind } from './log-rewriter.js';
import type { ProvenPoint } from './log-writer.js';
import {
  EMPTY_MANIFEST,
  encodeManifest,
  MANIFEST_PATH,
  type Manifest,
  manifestPlacement,
  readManifest,
} from './manifest.js';
import { decodePlacement, PLACEMENT_META } from './placement.js';
import { endsCleanly, ProofScan } from './proof-scan.js';
import { Segment } from './segment.js';
import { LOG_DIRECTORY, SEGMENT_HEADER_BYTES, type SegmentHeader, segmentFile, segmentPath } from './segment-header.js';
import { segmentBytesMin } from './segment-sizes.js';
import type { PreparedFile } from './segment-supply.js';
import { SegmentTable } from './segment-table.js';
import { StartReader } from './start-reader.js';
import { StorageError } from './storage-error.js';

/** A start copies small segments together up to this part of a segment, so that many crashes do not leave many files. */
const FOLD_PART = 4;

/** Records of one segment are told apart by 32 bits of their LSN. */
const LSN_SPAN_MAX: number = 2 ** 32;

/** A hint is believed up to this: 2^27 keys of at least 24 bytes already fill 3 GiB of log. */
const KEYS_HINT_MAX: number = 2 ** 27;

export interface RecoveryOptions {
  readonly disk: Disk;
  readonly segmentBytes: number;
  readonly recordBytesMax?: number;
  readonly partitions: number;
  readonly hashSeed: number;
  readonly pool: BufferPool;
}

/** What a start goes on from. All of it is durable. */
export interface RecoveredLog {
  readonly catalog: Catalog;
  readonly lastLsn: number;
  /** The segment to append to, after a clean end; otherwise a new one follows `previous`. */
  readonly continued: Segment | undefined;
  readonly previous: { readonly id: number; readonly end: number };
  readonly proven: ProvenPoint;
  readonly prepared: PreparedFile[];
  readonly nextId: number;
  readonly nextCopyId: number;
  /** Bytes that were copied to new files because nothing proved them durable. */
  readonly rewrittenBytes: number;
}

/**
 * Reads the log back (mechanisms: The log on disk). A record that does not verify is the torn tail and is cut, unless
 * something durable says that it had been durable: then the log is damaged, and this throws `corrupt` with file and
 * offset. Records that verify but that nothing proves are copied to a new file: after a failed sync the page cache may
 * show what the device never got.
 *
 * Synchronous: the node has nothing else to do yet. It may crash at any point: until the manifest is replaced the old
 * files count, from then on the new ones do.
 */
export function recoverLog(options: RecoveryOptions): RecoveredLog {
  const { disk } = options;
  const manifest = prepareDirectory(disk);
  const files = findLogFiles(disk, manifest);
  const recovery = new Recovery(options, manifest, files);
  recovery.readNamed();
  recovery.readChain();
  return recovery.finish();
}

function prepareDirectory(disk: Disk): Manifest {
  disk.makeDirectory(LOG_DIRECTORY);
  disk.syncDirectory('');
  const manifest = readManifest(disk);
  if (manifest !== undefined) return manifest;
  // It is written before the first segment is made.
  const first = disk.list(LOG_DIRECTORY).find((name) => name.endsWith('.seg'));
  if (first !== undefined) throw corrupt(MANIFEST_PATH, 0, `the file is missing although ${first} is there`);
  disk.replace(MANIFEST_PATH, encodeManifest(EMPTY_MANIFEST));
  return EMPTY_MANIFEST;
}

class Recovery {
  readonly #options: RecoveryOptions;
  readonly #manifest: Manifest;
  readonly #files: LogFilesFound;
  readonly #catalog: Catalog;
  readonly #startReader: StartReader = new StartReader();
  readonly #reader: ChainReader;
  /** Segments younger than the manifest that hang together, and their files. */
  readonly #chain: Segment[] = [];
  #previous: { id: number; end: number } = { id: 0, end: 0 };
  #nextId: number;
  #nextCopyId: number;
  /** Files that are removed once nothing needs them any more. */
  readonly #obsolete: string[];
  #prepared: PreparedFile[] = [];
  #strayBytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(options: RecoveryOptions, manifest: Manifest, files: LogFilesFound) {
    this.#options = options;
    this.#manifest = manifest;
    this.#files = files;
    this.#nextId = files.nextId;
    this.#nextCopyId = files.nextCopyId;
    this.#obsolete = [...files.leftovers];
    const known = manifest.partitions !== 0;
    this.#catalog = new Catalog(
      new SegmentTable(largestSegment(options.segmentBytes, manifest, files.used)),
      known ? manifest : options,
    );
    const hints = files.used.map(({ header }) => header.keysHint);
    this.#catalog.index.reserve(Math.min(KEYS_HINT_MAX, Math.max(manifest.keysHint, ...hints)));
    this.#reader = new ChainReader(this.#catalog);
  }

  /** Segments of the manifest are durable as a whole: whatever does not verify there is damage. */
  readNamed(): void {
    for (const named of this.#manifest.segments) {
      const { memory, fileBytes } = readNamed(this.#options.disk, named, this.#startReader);
      const segment = this.#add(new Segment(named.id, named.generation, memory, named.firstLsn));
      segment.fileBytes = fileBytes;
      segment.compressed = named.compressed;
      this.#reader.nextLsn = named.firstLsn;
      this.#reader.read(segment, named.end);
      if (segment.tail !== named.end) throw corrupt(segmentFile(named), segment.tail, 'a durable record is damaged');
      markDurable(segment);
    }
    this.#previous = this.#manifest.previous;
    this.#reader.nextLsn = this.#manifest.nextLsn;
    this.#reader.provenSegment = 0;
    this.#reader.provenOffset = 0;
  }

  /** Younger segments follow as long as each begins where the one before ends. */
  readChain(): void {
    const { used } = this.#files;
    while (used.length > 0) {
      const { header, file } = used[0];
      const follows =
        header.previousId === this.#previous.id &&
        header.previousEnd === this.#previous.end &&
        header.firstLsn === this.#reader.nextLsn;
      if (!follows) return;
      used.shift();
      const segment = this.#load(file, header);
      segment.file = file;
      this.#reader.read(segment, header.capacity);
      this.#chain.push(segment);
      this.#previous = { id: segment.id, end: segment.tail };
    }
  }

  finish(): RecoveredLog {
    const clean = this.#examineRest();
    const last = this.#chain.at(-1);
    const { index, offset } = this.#provenPoint();
    const unproven = hasRecordsBehind(this.#chain.slice(index), offset);
    let continued: Segment | undefined;
    let rewrittenBytes = 0;
    if (clean && !unproven && last !== undefined && index === this.#chain.length - 1) {
      // Whatever lies behind the proven point is one batch header. It is written again, with what follows it.
      if (last.tail > offset) {
        last.headerBytes -= BATCH_HEADER_BYTES;
        last.closingHeaderAt = offset;
      }
      last.tail = offset;
      continued = last;
    } else if (last !== undefined || !clean) {
      rewrittenBytes = this.#rewrite(index, offset);
    }
    for (const segment of this.#catalog.segments.ordered) {
      markDurable(segment);
      if (segment !== continued) seal(segment);
    }
    this.#applyPlacement();
    for (const path of this.#obsolete) this.#options.disk.remove(path);
    return {
      catalog: this.#catalog,
      lastLsn: this.#reader.nextLsn - 1,
      continued,
      previous: this.#previous,
      proven: continued === undefined ? { segment: 0, offset: 0 } : { segment: continued.id, offset },
      prepared: this.#prepared,
      nextId: this.#nextId,
      nextCopyId: this.#nextCopyId,
      rewrittenBytes,
    };
  }

  /**
   * Looks at all that the chain does not reach. Throws `corrupt` when a header there proves something behind the
   * chain's end. False when there is anything but zeros: then the last segment cannot be continued.
   */
  #examineRest(): boolean {
    const last = this.#chain.at(-1);
    const endSegment = last?.id ?? 0;
    const endOffset = last?.tail ?? 0;
    const rest = new ProofScan();
    if (last !== undefined) {
      // Behind what was touched all is zeros; a header may reach into them.
      const end = Math.min(last.capacity, last.touchedBytes + BATCH_HEADER_BYTES);
      rest.scan(last.view, last.tail, end, last.generation);
    }
    if (last !== undefined && isBehind(rest.segment, rest.offset, endSegment, endOffset)) {
      throw corrupt(segmentPath(last.id), last.tail, 'a durable record is damaged');
    }
    const strays: PreparedFile[] = [...this.#files.damaged];
    for (const { header, file } of this.#files.used) strays.push({ id: header.id, file, bytes: header.capacity });
    for (const unused of this.#files.unused) {
      if (this.#startReader.isAllZero(unused.file)) this.#prepared.push(unused);
      else strays.push(unused);
    }
    strays.sort((left, right) => left.id - right.id);
    for (const stray of strays) {
      this.#scanStray(stray, last);
      this.#discard(stray);
    }
    const kept = this.#keepPrepared(strays.at(-1)?.id ?? 0);
    return kept && !rest.sawBytes && strays.length === 0 && (last === undefined || this.#canBeWritten(last.capacity));
  }

  /** Whether a file of this size can be the active segment: it holds whatever record may come. */
  #canBeWritten(bytes: number): boolean {
    const { segmentBytes, recordBytesMax = segmentBytes } = this.#options;
    const least = segmentBytesMin(segmentBytes, recordBytesMax);
    return bytes >= least && bytes <= segmentBytes && Number.isInteger(Math.log2(bytes));
  }

  /** Files of zeros go on to be used if their sizes are possible and they lie behind all that is not. False when some do not. */
  #keepPrepared(behindId: number): boolean {
    const possible = this.#prepared.every(({ bytes }) => this.#canBeWritten(bytes));
    const kept = possible ? this.#prepared.filter((prepared) => prepared.id > behindId) : [];
    for (const prepared of this.#prepared) if (!kept.includes(prepared)) this.#discard(prepared);
    const all = kept.length === this.#prepared.length;
    this.#prepared = kept;
    return all;
  }

  #scanStray(stray: PreparedFile, last: Segment | undefined): void {
    const size = stray.file.size() & ~3;
    if (this.#strayBytes.length < size) this.#strayBytes = new Uint8Array(size);
    stray.file.read(this.#strayBytes, 0, size, 0);
    const scan = new ProofScan();
    // The generation of a segment that is no copy is its id.
    scan.scan(new DataView(this.#strayBytes.buffer), SEGMENT_HEADER_BYTES, size, stray.id);
    // What is proven of segments before the chain is the manifest's affair.
    if (scan.segment < this.#manifest.nextSegmentId) return;
    if (!isBehind(scan.segment, scan.offset, last?.id ?? 0, last?.tail ?? 0)) return;
    if (last === undefined || endsCleanly(last)) {
      throw corrupt(
        segmentPath(stray.id),
        0,
        'the segment does not follow the one before it, its header or a file is lost,',
      );
    }
    throw corrupt(segmentPath(last.id), last.tail, 'a durable record is damaged');
  }

  /** The last point of the chain that something proves: an index into the chain and an offset. */
  #provenPoint(): { index: number; offset: number } {
    const { provenSegment, provenOffset } = this.#reader;
    const index = this.#chain.findIndex((segment) => segment.id === provenSegment);
    return index < 0 ? { index: 0, offset: SEGMENT_HEADER_BYTES } : { index, offset: provenOffset };
  }

  /** Copies what is not proven, and small segments before it, to new files, and makes the manifest say so. */
  #rewrite(chainIndex: number, chainOffset: number): number {
    const { segments } = this.#catalog;
    const { segmentBytes, pool } = this.#options;
    const before = segments.ordered;
    const foldBytesMax = segmentBytes / FOLD_PART;
    let first = before.length - this.#chain.length + chainIndex;
    let from = chainOffset;
    if (first < before.length && from - SEGMENT_HEADER_BYTES <= foldBytesMax) {
      let folded = from - SEGMENT_HEADER_BYTES;
      from = SEGMENT_HEADER_BYTES;
      while (first > 0 && folded + before[first - 1].tail - SEGMENT_HEADER_BYTES <= foldBytesMax) {
        if (this.#reader.nextLsn - before[first - 1].firstLsn >= LSN_SPAN_MAX) break;
        first--;
        folded += before[first].tail - SEGMENT_HEADER_BYTES;
      }
    }
    const sources = before.slice(first);
    const copies = copyRecords(this.#catalog, sources, from, segmentBytes, () => this.#nextCopyId++);
    let rewrittenBytes = 0;
    for (const copy of copies) {
      this.#replace(segmentPath(copy.id), copy.bytes);
      rewrittenBytes += copy.tail;
    }
    for (const [index, source] of sources.entries()) {
      if (index === 0 && from > SEGMENT_HEADER_BYTES) {
        source.tail = from;
        // How many of them were cut is not known: none at all makes more of it count as dead, which is harmless.
        source.headerBytes = 0;
        source.lastLsn = (copies[0]?.firstLsn ?? this.#reader.nextLsn) - 1;
        continue;
      }
      segments.remove(source);
      source.file?.close();
      this.#obsolete.push(segmentFile(source));
      pool.give(source.view.buffer as ArrayBuffer);
    }
    const last = segments.ordered.at(-1);
    this.#previous = { id: last?.id ?? 0, end: last?.tail ?? 0 };
    this.#replace(MANIFEST_PATH, encodeManifest(this.#newManifest()));
    return rewrittenBytes;
  }

  #newManifest(): Manifest {
    return {
      ...manifestPlacement(this.#catalog),
      segments: this.#catalog.segments.ordered.map(({ id, generation, firstLsn, tail, compressed }) => ({
        id,
        generation,
        firstLsn,
        end: tail,
        compressed,
      })),
      nextSegmentId: this.#prepared[0]?.id ?? this.#nextId,
      previous: this.#previous,
      nextLsn: this.#reader.nextLsn,
    };
  }

  /** Writes a file as a whole. On a full disk it gives up prepared files for that: they can be made again. */
  #replace(path: string, bytes: Uint8Array): void {
    const { disk } = this.#options;
    for (;;) {
      try {
        disk.replace(path, bytes);
        return;
      } catch (error) {
        if (!(error instanceof DiskError) || error.kind !== 'full') throw error;
        const given = this.#prepared.pop();
        if (given === undefined) {
          const message = `No room to write ${bytes.length} bytes to ${path}. Free space on this disk, then start again.`;
          throw new StorageError('full', path, 0, message, error);
        }
        given.file.close();
        disk.remove(segmentPath(given.id));
        this.#nextId = given.id;
      }
    }
  }

  /** When the placement was found behind the first keys only, the index was built for another one. */
  #applyPlacement(): void {
    const placement = decodePlacement(this.#catalog.meta(PLACEMENT_META));
    if (placement === undefined || this.#catalog.isPlacedAs(placement)) {
      this.#catalog.applyFloors();
      return;
    }
    this.#catalog.place(placement);
    this.#catalog.rebuild();
  }

  #load(file: DiskFile, header: SegmentHeader): Segment {
    const { capacity } = header;
    const { buffer, recycled } = this.#options.pool.take(capacity);
    const segment = new Segment(header.id, header.generation, buffer, header.firstLsn);
    const written = this.#startReader.load(file, segment.bytes, !recycled);
    segment.touchedBytes = recycled ? capacity : written;
    return this.#add(segment);
  }

  #add(segment: Segment): Segment {
    const { segments } = this.#catalog;
    if (!segments.hasFreeSlot) {
      const message = `The log has more than ${segments.slotsMax} segments. Set storage.segment_size to a larger size.`;
      throw new StorageError('full', segmentPath(segment.id), 0, message);
    }
    segments.add(segment);
    return segment;
  }

  #discard(prepared: PreparedFile): void {
    prepared.file.close();
    this.#obsolete.push(segmentPath(prepared.id));
  }
}

function markDurable(segment: Segment): void {
  segment.writtenOffset = segment.tail;
  segment.durableOffset = segment.tail;
}

function seal(segment: Segment): void {
  segment.sealed = true;
  segment.file?.close();
  segment.file = undefined;
}
