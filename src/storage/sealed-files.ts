import type { Disk, DiskError } from '../ports/disk.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Timer, Timers } from '../ports/timers.js';
import type { LogWriter } from './log-writer.js';
import {
  encodeManifest,
  MANIFEST_PATH,
  type Manifest,
  type ManifestPlacement,
  type ManifestSegment,
} from './manifest.js';
import type { Segment } from './segment.js';
import { compressedPath, previousOf, segmentFile, segmentPath } from './segment-header.js';
import type { SegmentSupply } from './segment-supply.js';

/** A full disk is asked again after this long, then after twice as long, up to the second bound. */
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 8000;

/** A file that the log is read back from. */
interface SealedFile {
  readonly segment: Segment;
  readonly compressed: boolean;
  /** Of the file, which may be longer than what counts in it. */
  readonly bytes: number;
  /** A copy takes the place of others once all up to here is synced: what they do not hold any more is newer. */
  readonly countsFromLsn: number;
  /** The file is not needed once all up to here is synced; infinity while it is. */
  droppedAtLsn: number;
}

export interface SealedFilesOptions {
  readonly disk: Disk;
  readonly timers: Timers;
  readonly telemetry: Telemetry;
  readonly writer: LogWriter;
  readonly supply: SegmentSupply;
  /** The segment that takes appends: the chain behind the manifest begins there, or before it. */
  readonly active: () => Segment;
  readonly placement: () => ManifestPlacement;
  readonly onFatal: (error: Error) => void;
}

/**
 * The files of sealed segments, and the manifest that says which of them count.
 *
 * A file is removed, or becomes that of a segment to come, in this order: everything that made it superfluous is synced;
 * the copy of what was still needed is durable; the manifest does not name it any more, durably. A crash between any two
 * of these steps leaves files that the manifest does not name, and the next start removes them.
 */
export class SealedFiles {
  readonly #options: SealedFilesOptions;
  /** In the order of LSNs. Of a copy and what it replaces exactly one side counts. */
  #files: SealedFile[];
  /** A manifest is on its way, or waits for a sync or for space. */
  #replacing = false;
  #retryTimers = new Set<Timer>();
  #running = 0;
  #removingBytes = 0;
  #copyingBytes = 0;
  #closed = false;
  #onIdle: (() => void) | undefined;
  readonly #manifests: Counter;

  constructor(options: SealedFilesOptions, sealed: readonly Segment[]) {
    this.#options = options;
    this.#files = sealed.map((segment) => fileOf(segment, 0));
    this.#manifests = options.telemetry.counter('log_manifests_total', 'Manifests written while serving.');
  }

  /** Bytes on disk, those included that are on their way in or out. */
  get bytes(): number {
    return this.#files.reduce((sum, file) => sum + file.bytes, this.#removingBytes + this.#copyingBytes);
  }

  /** Files are about to become free. */
  get isReclaiming(): boolean {
    return this.#replacing;
  }

  /** The next segment is in use. */
  add(segment: Segment): void {
    this.#files.push(fileOf(segment, 0));
  }

  /** Nothing in these segments counts any more, given what was appended so far. */
  drop(segments: readonly Segment[]): void {
    const { lastLsn } = this.#options.writer;
    this.#dropAll(segments, lastLsn);
    this.#reclaim();
  }

  /**
   * Makes a copy durable, in the place of the segments that it was made from; `done` when their files are not needed for
   * it any more. On a full disk it tries again: the old files count until then.
   */
  replace(group: readonly Segment[], copy: Segment, done: () => void): void {
    this.#copyingBytes += copy.tail;
    this.#writeCopy(group, copy, this.#options.writer.lastLsn, RETRY_MS_MIN, done);
  }

  /**
   * Writes a compressed file of a sealed segment, in the place of the one that it has, unless that has gone meanwhile;
   * `done` says how large it is, undefined when there was no room. It counts only if it is small enough.
   */
  compress(segment: Segment, bytesMax: number, done: (bytes: number | undefined) => void): void {
    const { disk } = this.#options;
    const path = compressedPath(segment.id);
    this.#begin();
    disk.compress(segmentPath(segment.id), path, segment.tail, (error, stored) => {
      if (!this.#end()) return;
      if (error !== undefined && error.kind !== 'full') {
        this.#options.onFatal(error);
        return;
      }
      const index = this.#files.findIndex((file) => file.segment === segment && isNeeded(file));
      if (error === undefined && (index === -1 || stored > bytesMax)) this.#remove(path, stored);
      else if (error === undefined) this.#takeCompressed(index, stored);
      done(error === undefined ? stored : undefined);
    });
  }

  #takeCompressed(index: number, stored: number): void {
    const raw = this.#files[index];
    raw.segment.compressed = true;
    raw.segment.fileBytes = stored;
    // Both hold the same: it counts from the next manifest on, whatever is synced.
    raw.droppedAtLsn = 0;
    this.#files.splice(index, 0, fileOf(raw.segment, raw.countsFromLsn));
    this.#reclaim();
  }

  #dropAll(segments: readonly Segment[], lsn: number): void {
    for (const file of this.#files) if (segments.includes(file.segment) && isNeeded(file)) file.droppedAtLsn = lsn;
  }

  /** Begins nothing more; calls `done` once no operation of the disk runs that would meet the next process. */
  close(done: () => void): void {
    this.#closed = true;
    for (const timer of this.#retryTimers) this.#options.timers.stop(timer);
    if (this.#running === 0) done();
    else this.#onIdle = done;
  }

  #writeCopy(group: readonly Segment[], copy: Segment, lsn: number, retryMs: number, done: () => void): void {
    const { disk } = this.#options;
    const path = segmentPath(copy.id);
    this.#begin();
    disk.replaceLater(path, copy.bytes.subarray(0, copy.tail), (error) => {
      if (!this.#end()) return;
      if (error?.kind === 'full') {
        const againMs = Math.min(retryMs * 2, RETRY_MS_MAX);
        this.#later(error, retryMs, () => this.#writeCopy(group, copy, lsn, againMs, done));
        return;
      }
      if (error !== undefined) {
        this.#options.onFatal(error);
        return;
      }
      this.#copyingBytes -= copy.tail;
      copy.writtenOffset = copy.tail;
      copy.durableOffset = copy.tail;
      const first = this.#files.findIndex((file) => file.segment === group[0]);
      this.#dropAll(group, lsn);
      this.#files.splice(first, 0, fileOf(copy, lsn));
      this.#reclaim();
      done();
    });
  }

  #reclaim(): void {
    if (this.#replacing || this.#closed) return;
    if (this.#files.every(isNeeded)) return;
    this.#replacing = true;
    // What replaced the records must be durable before they go.
    this.#options.writer.syncNow(() => this.#replaceManifest(RETRY_MS_MIN));
  }

  #replaceManifest(retryMs: number): void {
    if (this.#closed) return;
    const { disk, writer } = this.#options;
    const { syncedLsn } = writer;
    const manifest = this.#manifestAt(syncedLsn);
    // Exactly what this manifest leaves out: more may be dropped while it is on its way.
    const gone = this.#files.filter((file) => file.droppedAtLsn <= syncedLsn);
    this.#begin();
    disk.replaceLater(MANIFEST_PATH, encodeManifest(manifest), (error) => {
      if (!this.#end()) return;
      if (error?.kind === 'full') {
        this.#later(error, retryMs, () => this.#replaceManifest(Math.min(retryMs * 2, RETRY_MS_MAX)));
      } else if (error !== undefined) {
        this.#options.onFatal(error);
      } else {
        this.#manifests.value++;
        this.#replacing = false;
        this.#letGo(gone);
        this.#reclaim();
      }
    });
  }

  /** What a start may go by when everything up to `syncedLsn` is durable. */
  #manifestAt(syncedLsn: number): Manifest {
    const segments: ManifestSegment[] = [];
    let first = this.#options.active();
    for (const { segment, compressed, countsFromLsn, droppedAtLsn } of this.#files) {
      if (segment.durableOffset !== segment.tail) {
        first = segment;
        break;
      }
      if (countsFromLsn > syncedLsn || droppedAtLsn <= syncedLsn) continue;
      const { id, generation, firstLsn, tail } = segment;
      segments.push({ id, generation, firstLsn, end: tail, compressed });
    }
    return {
      ...this.#options.placement(),
      segments,
      nextSegmentId: first.id,
      nextLsn: first.firstLsn,
      previous: previousOf(first.view),
    };
  }

  /** The manifest does not name these files any more. */
  #letGo(gone: readonly SealedFile[]): void {
    const { supply } = this.#options;
    this.#files = this.#files.filter((file) => !gone.includes(file));
    for (const { segment, compressed, bytes } of gone) {
      const path = segmentFile({ id: segment.id, compressed });
      if (!compressed && supply.wantsSpare(bytes)) supply.offer(segment.id, bytes);
      else this.#remove(path, bytes);
    }
    supply.refill();
  }

  #remove(path: string, bytes: number): void {
    this.#removingBytes += bytes;
    this.#begin();
    this.#options.disk.removeLater(path, (error) => {
      this.#removingBytes -= bytes;
      if (this.#end() && error !== undefined) this.#options.onFatal(error);
    });
  }

  #later(error: DiskError, afterMs: number, call: () => void): void {
    const { timers, telemetry } = this.#options;
    telemetry.log('warn', 'compaction-waits', { message: `Compaction waits for space: ${error.message}` });
    const timer = timers.start(afterMs, () => {
      this.#retryTimers.delete(timer);
      call();
    });
    this.#retryTimers.add(timer);
  }

  #begin(): void {
    this.#running++;
  }

  /** One operation has ended. False when nothing is to follow from it. */
  #end(): boolean {
    this.#running--;
    if (!this.#closed) return true;
    if (this.#running === 0) this.#onIdle?.();
    return false;
  }
}

function fileOf(segment: Segment, countsFromLsn: number): SealedFile {
  const { compressed, fileBytes } = segment;
  return { segment, compressed, bytes: fileBytes, countsFromLsn, droppedAtLsn: Number.POSITIVE_INFINITY };
}

function isNeeded(file: SealedFile): boolean {
  return file.droppedAtLsn === Number.POSITIVE_INFINITY;
}
