import { BALLOT_BYTES, copyBytes } from '@memdb/protocol';
import { contentHash } from '../model/content-hash.js';
import { recordHash } from '../model/counter-entry.js';
import {
  isData,
  isUnderstood,
  isVersion,
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
import type { ActiveLog } from './active-log.js';
import { BATCH_HEADER_BYTES } from './batch-header.js';
import { type Catalog, Verdict } from './catalog.js';
import type { Segment } from './segment.js';
import { segmentPath } from './segment-header.js';
import type { SerialIntake } from './serial-intake.js';
import { StorageError } from './storage-error.js';

/** Records whose keys are looked up together, see `KeyIndex.warm`. */
const WARM_RECORDS_MAX = 64;

/**
 * Called for each refused record of a run: its LSN at the sender (low 32 bits) and the stamp that supersedes it; `serial`: it
 * is refused since its key is serial here, by no more than a promise maybe.
 */
export type OnRefused = (senderLsnLow: number, counter: number, node: number, serial: boolean) => void;

/**
 * Takes in runs of records as they lie in a peer's segment. Records are verified where they arrived, copied as a whole
 * and given the salt of their new place: nothing is hashed twice. Batch headers and meta records of the sender are its
 * own affair and are left out. Hot: `test/micro/storage.ts` watches it.
 */
export class RunIntake {
  readonly #catalog: Catalog;
  readonly #log: ActiveLog;
  readonly #serial: SerialIntake;
  readonly #hashes: Float64Array = new Float64Array(WARM_RECORDS_MAX);
  /** The largest record of the run that was verified last. */
  largest = 0;
  /** Whether that run brings entries of counters. */
  bringsEntries = false;

  constructor(catalog: Catalog, log: ActiveLog, serial: SerialIntake) {
    this.#serial = serial;
    this.#catalog = catalog;
    this.#log = log;
  }

  /**
   * Bytes that the run would take here. Throws `bad-run` when a record does not verify.
   * `salted` is what the sender's offsets are ahead of those in `view`.
   */
  verify(view: DataView, start: number, end: number, generation: number, salted: number): number {
    let bytes = 0;
    let largest = 0;
    let at = start;
    this.bringsEntries = false;
    while (at < end) {
      if (end - at < RECORD_HEADER_BYTES) throw badRun(at - start, 'it ends inside a record');
      const kindLength = recordKindLength(view, at);
      const length = lengthOf(kindLength);
      const size = paddedRecordBytes(length);
      const kind = kindOf(kindLength);
      const keyLength = recordKeyLength(view, at);
      if (size > end - at || length < RECORD_HEADER_BYTES + keyLength)
        throw badRun(at - start, 'a length is impossible');
      if (kind === RecordKind.batchHeader && length === BATCH_HEADER_BYTES) {
        // It may not even be complete: its checksum is set when the batch is written.
        at += size;
        continue;
      }
      const lsnLow = recordLsnLow(view, at);
      const checksum = (contentHash(view, at + 8, at + size) + recordSalt(generation, at + salted, lsnLow)) | 0;
      if (view.getInt32(at + 4, true) !== checksum) throw badRun(at - start, 'a checksum does not match');
      if (isData(kind)) {
        if (keyLength === 0 || !isUnderstood(view, at)) throw badRun(at - start, 'a record is not understood');
        if (kind === RecordKind.counterEntry) this.bringsEntries = true;
        // What this acceptor promised may stand in front of another's state.
        const stored = kind === RecordKind.serial ? size + BALLOT_BYTES : size;
        bytes += stored;
        if (stored > largest) largest = stored;
      } else if (kind !== RecordKind.meta) {
        throw badRun(at - start, 'a record is of an unknown kind');
      }
      at += size;
    }
    this.largest = largest;
    return bytes;
  }

  /** Stores a run that `verify` accepted and for which there is room. */
  store(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    generation: number,
    salted: number,
    skipHeld: boolean,
    isJoining: boolean,
    onRefused: OnRefused,
  ): void {
    const log = this.#log;
    let at = start;
    let groupStart = start;
    let free = 0;
    while (at < end) {
      const kindLength = recordKindLength(view, at);
      const size = paddedRecordBytes(lengthOf(kindLength));
      // What lies below a floor must not reach the log: when no tombstone is left in it, nothing would hide it from the
      // next start, which admits all that the log holds.
      const judged = skipHeld || recordCounter(view, at) <= this.#catalog.floors.highestCounter;
      const kind = kindOf(kindLength);
      if (isVersion(kind) && this.#serial.concerns(bytes, view, at, isJoining)) {
        this.#copyGroup(bytes, view, groupStart, at, generation, salted, onRefused);
        this.#serial.take(bytes, view, at, isJoining);
        groupStart = at + size;
        free = 0;
      } else if (!isData(kind) || (judged && this.#isHeld(bytes, view, at, onRefused))) {
        this.#copyGroup(bytes, view, groupStart, at, generation, salted, onRefused);
        groupStart = at + size;
        free = 0;
      } else if (groupStart === at || size > free) {
        this.#copyGroup(bytes, view, groupStart, at, generation, salted, onRefused);
        groupStart = at;
        // Rolls over to the next segment when this record does not fit.
        log.place(size);
        free = log.freeBytes - size;
      } else {
        free -= size;
      }
      at += size;
    }
    this.#copyGroup(bytes, view, groupStart, end, generation, salted, onRefused);
  }

  #isHeld(bytes: Uint8Array, view: DataView, at: number, onRefused: OnRefused): boolean {
    const catalog = this.#catalog;
    const keyStart = at + RECORD_HEADER_BYTES;
    const keyLength = recordKeyLength(view, at);
    const kind = kindOf(recordKindLength(view, at));
    const hash = recordHash(kind, bytes, view, keyStart, keyLength, catalog.hashSeed);
    const counter = recordCounter(view, at);
    const verdict = catalog.judge(hash, view, keyStart, keyLength, kind, counter, recordNode(view, at));
    // A later state of an entry holds all that an earlier one does.
    if (verdict === Verdict.superseded && kind !== RecordKind.counterEntry) {
      onRefused(recordLsnLow(view, at), catalog.heldCounter, catalog.heldNode, catalog.heldSerial);
    }
    return verdict !== Verdict.newest;
  }

  /** Hashes the keys of the next records in `[at, stop)`, has the index warmed for them, and returns how many. */
  #warm(segment: Segment, at: number, stop: number): number {
    const { bytes, view } = segment;
    const { hashSeed, index } = this.#catalog;
    let count = 0;
    let offset = at;
    while (offset < stop && count < WARM_RECORDS_MAX) {
      const start = offset + RECORD_HEADER_BYTES;
      const kindLength = recordKindLength(view, offset);
      const kind = kindOf(kindLength);
      this.#hashes[count++] = recordHash(kind, bytes, view, start, recordKeyLength(view, offset), hashSeed);
      offset += paddedRecordBytes(lengthOf(kindLength));
    }
    index.warm(this.#hashes, count, false);
    return count;
  }

  /** Copies records that lie side by side, then walks over the copies. */
  #copyGroup(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    generation: number,
    salted: number,
    onRefused: OnRefused,
  ): void {
    if (start >= end) return;
    const log = this.#log;
    const catalog = this.#catalog;
    const segment = log.active;
    const own = segment.view;
    const first = segment.tail;
    copyBytes(segment.bytes, own, first, bytes, view, start, end - start);
    const stop = first + end - start;
    // From an offset here to the sender's.
    const senderAhead = start + salted - first;
    let at = first;
    let hashed = 0;
    let warmed = 0;
    while (at < stop) {
      if (warmed === hashed) {
        hashed = this.#warm(segment, at, stop);
        warmed = 0;
      }
      const kindLength = recordKindLength(own, at);
      const size = paddedRecordBytes(lengthOf(kindLength));
      const senderLsnLow = recordLsnLow(own, at);
      const lsn = log.lastLsn + 1;
      own.setUint32(at, lsn, true);
      const change = recordSalt(segment.generation, at, lsn) - recordSalt(generation, at + senderAhead, senderLsnLow);
      own.setInt32(at + 4, (own.getInt32(at + 4, true) + change) | 0, true);
      log.advance(size);
      const keyLength = recordKeyLength(own, at);
      const hash = this.#hashes[warmed++];
      const counter = recordCounter(own, at);
      const kind = kindOf(kindLength);
      const verdict = catalog.admit(segment, at, size, kind, counter, recordNode(own, at), hash, keyLength);
      if (verdict === Verdict.superseded && kind !== RecordKind.counterEntry) {
        onRefused(senderLsnLow, catalog.heldCounter, catalog.heldNode, catalog.heldSerial);
      }
      at += size;
    }
  }
}

function badRun(offset: number, why: string): StorageError {
  return new StorageError(
    'bad-run',
    segmentPath(0),
    offset,
    `A run of records from a peer is damaged at byte ${offset}: ${why}.`,
  );
}
