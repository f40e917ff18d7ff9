import { keyHash } from '@memdb/protocol';
import { RecordKind, recordLsnLow } from '../../src/model/record.js';
import { BufferPool } from '../../src/storage/buffer-pool.js';
import { LogCursor } from '../../src/storage/log-cursor.js';
import { type RecoveredLog, recoverLog } from '../../src/storage/recovery.js';
import { StorageError } from '../../src/storage/storage-error.js';
import { SMALL_SEGMENT_BYTES } from '../harness/storage-world.js';
import type { LogSample } from './log-sample.js';
import { MemoryFiles } from './memory-files.js';

const PLACEMENT = { partitions: 16, hashSeed: 7 };

/** What a start must make of a damaged log. */
export type Expected =
  /** All records up to this LSN, and nothing else. */
  | { readonly kind: 'recovered'; readonly lsn: number }
  /** `corrupt`, naming one of these files and, where it is known, this offset. */
  | { readonly kind: 'refused'; readonly files: readonly string[]; readonly offset?: number };

interface SampleKey {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly hash: number;
  /** LSN of the version in force after each LSN; 0: none. */
  readonly newest: Int32Array;
}

/** Starts on damaged copies of one sample and compares what comes out with what is in it. */
export class Judge {
  readonly #sample: LogSample;
  readonly #keys: readonly SampleKey[];
  readonly #metas: ReadonlyMap<string, Int32Array>;
  readonly #pool: BufferPool = new ReusedMemory();
  /** What compaction had left out of the log before it was damaged. */
  readonly #leftOut: ReadonlySet<number>;

  constructor(sample: LogSample) {
    this.#sample = sample;
    const newest = new Map<string, Int32Array>();
    const metas = new Map<string, Int32Array>();
    for (const [index, { key, kind, counter }] of sample.records.entries()) {
      const table = kind === RecordKind.meta ? metas : newest;
      const lsns = table.get(key) ?? new Int32Array(sample.records.length + 1);
      table.set(key, lsns);
      const held = sample.records[(lsns[index] ?? 0) - 1];
      if (held === undefined || kind === RecordKind.meta || counter > held.counter) lsns.fill(index + 1, index + 1);
    }
    this.#metas = metas;
    this.#keys = [...newest].map(([key, lsns]) => {
      const bytes = new Uint8Array(Buffer.from(key));
      const view = new DataView(bytes.buffer);
      return { bytes, view, hash: keyHash(bytes, view, 0, bytes.length, PLACEMENT.hashSeed), newest: lsns };
    });
    this.#leftOut = missingOf(this.#recover(sample.files), sample.records.length);
  }

  /** Undefined when a start does as expected, else what it does instead. */
  verdict(files: ReadonlyMap<string, Uint8Array>, expected: Expected): string | undefined {
    let log: RecoveredLog;
    try {
      log = this.#recover(files);
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'corrupt') throw error;
      return refusalProblem(error, expected);
    }
    if (expected.kind === 'refused') return `recovered up to LSN ${log.lastLsn}`;
    return this.#contentProblem(log, expected.lsn);
  }

  /** As `verdict`, of any damage: refused, or recovered as far as it says. */
  beginning(files: ReadonlyMap<string, Uint8Array>): string | undefined {
    let log: RecoveredLog;
    try {
      log = this.#recover(files);
    } catch (error) {
      if (error instanceof StorageError && (error.code === 'corrupt' || error.code === 'unsupported-format')) return;
      throw error;
    }
    if (log.lastLsn > this.#sample.records.length) return `recovered up to LSN ${log.lastLsn}, which was never given`;
    return this.#contentProblem(log, log.lastLsn);
  }

  #recover(files: ReadonlyMap<string, Uint8Array>): RecoveredLog {
    const disk = new MemoryFiles(files);
    return recoverLog({ disk, segmentBytes: SMALL_SEGMENT_BYTES, ...PLACEMENT, pool: this.#pool });
  }

  #nextLsn(lsn: number): number {
    let next = lsn + 1;
    while (this.#leftOut.has(next)) next++;
    return next;
  }

  #contentProblem(log: RecoveredLog, lsn: number): string | undefined {
    if (log.lastLsn !== lsn) return `recovered up to LSN ${log.lastLsn}, not ${lsn}`;
    const { segments, index } = log.catalog;
    const cursor = new LogCursor(segments, 0);
    let count = this.#nextLsn(0);
    for (; count <= lsn && cursor.next(); count = this.#nextLsn(count)) {
      if (cursor.lsn !== count) return `LSN ${cursor.lsn} stands where ${count} should`;
      const content = this.#sample.records[count - 1]?.content ?? new Uint8Array(0);
      const { bytes } = cursor.segment;
      if (Buffer.compare(content, bytes.subarray(cursor.offset + 8, cursor.offset + cursor.bytes)) !== 0) {
        return `LSN ${count} has another content`;
      }
    }
    if (count <= lsn) return `the log ends before LSN ${count}`;
    let present = 0;
    for (const key of this.#keys) {
      const location = index.find(key.hash, key.view, 0, key.bytes.length, false);
      const newest = key.newest[lsn] ?? 0;
      if (newest !== 0) present++;
      const held = location === 0 ? 0 : lsnAt(log, location);
      if (held !== newest) return `${Buffer.from(key.bytes)} is LSN ${held}, not ${newest}`;
    }
    const { keys, tombstones } = log.catalog;
    if (keys + tombstones !== present) return `${keys} + ${tombstones} keys, not ${present}`;
    for (const [name, newest] of this.#metas) {
      const value = log.catalog.meta(name);
      const record = this.#sample.records[(newest[lsn] ?? 0) - 1];
      const start = 24 - 8 + name.length;
      if ((value === undefined) !== (record === undefined))
        return `${name} is ${value === undefined ? 'gone' : 'there'}`;
      if (value === undefined || record === undefined) continue;
      if (Buffer.compare(value, record.content.subarray(start, start + value.length)) !== 0)
        return `${name} is another`;
    }
    return undefined;
  }
}

/** One judge looks at one log at a time: their segments may all lie in the same few buffers. */
class ReusedMemory extends BufferPool {
  readonly #buffers: readonly ArrayBuffer[];
  #next = 0;

  constructor() {
    super();
    this.#buffers = Array.from({ length: 8 }, () => new ArrayBuffer(SMALL_SEGMENT_BYTES));
  }

  override take(bytes: number): { readonly buffer: ArrayBuffer; readonly recycled: boolean } {
    if (bytes !== SMALL_SEGMENT_BYTES) return super.take(bytes);
    const buffer = this.#buffers[this.#next++ % this.#buffers.length];
    if (buffer === undefined) throw new Error('there is a buffer');
    return { buffer, recycled: true };
  }
}

function missingOf(log: RecoveredLog, lastLsn: number): ReadonlySet<number> {
  const missing = new Set(Array.from({ length: lastLsn }, (_, index) => index + 1));
  const cursor = new LogCursor(log.catalog.segments, 0);
  while (cursor.next()) missing.delete(cursor.lsn);
  return missing;
}

function refusalProblem(error: StorageError, expected: Expected): string | undefined {
  const { file, offset, message } = error;
  if (expected.kind === 'recovered') return `refused: ${message}`;
  if (!expected.files.includes(file)) return `refused, but names ${file}: ${message}`;
  if (expected.offset !== undefined && offset !== expected.offset) return `refused, but at ${offset}: ${message}`;
  if (!message.includes(file) || !/Put the undamaged file back into this very directory/.test(message)) return message;
  return undefined;
}

function lsnAt(log: RecoveredLog, location: number): number {
  const { segments } = log.catalog;
  const segment = segments.segmentAt(location);
  return segment.lsnOf(recordLsnLow(segment.view, segments.offsetAt(location)));
}
