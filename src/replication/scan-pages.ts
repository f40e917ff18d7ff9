import {
  appendScanEntry,
  encodeReplicaPage,
  OutgoingBuffer,
  type ScanPlace,
  ScanReach,
  serialStamp,
} from '@memdb/protocol';
import {
  SCAN_KEYS_PER_TICK,
  SCAN_PAGE_BYTES,
  SCAN_PAGE_SLICES,
  SCAN_PAGES_MAX,
  SCAN_SLICE_BYTES,
} from '../model/limits.js';
import {
  kindOf,
  lengthOf,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordCounter,
  recordKeyLength,
  recordKindLength,
  recordLsnLow,
  recordNode,
} from '../model/record.js';
import { recordHasValue, serialBodyAt, valueExpiresAtMs } from '../model/serial-record.js';
import type { Timer, Timers } from '../ports/timers.js';
import type { Turn } from '../ports/turn.js';
import { type Floor, NO_FLOOR } from '../storage/floors.js';
import type { ScanWindow } from '../storage/scan-window.js';

/** A page of this replica: the body that travels, and the highest LSN that it speaks of (0: none). */
export type OnPage = (body: Uint8Array, lsn: number) => void;

/** This replica lost keys of the partition to damage: it makes no page until it knows what became of them. */
export type OnLost = () => void;

interface Job {
  readonly partition: number;
  readonly prefix: Uint8Array;
  readonly done: OnPage;
  readonly onLost: OnLost;
  readonly entries: OutgoingBuffer;
  position: number;
  after: Uint8Array;
  count: number;
  slices: number;
  lsn: number;
  floor: Floor | undefined;
}

/** What collecting a window costs beside its keys, in keys: so that empty partitions are not free. */
const WINDOW_COST = 32;
/** 2 KiB are verified in the time that a key takes. */
const VERIFIED_SHIFT = 11;
const TWO_32 = 4294967296;
const NO_BYTES = new Uint8Array(0);

/**
 * Makes pages of this replica's keys, with their stamps, deletions included, a slice at a time: all scans of the node
 * together look at so many keys in a millisecond (`limits.ts`), so that no operation waits long for them.
 */
export class ScanPages {
  readonly #window: ScanWindow;
  readonly #timers: Timers;
  readonly #turn: Turn;
  readonly #jobs: Job[] = [];
  #timer: Timer | undefined;
  /** Keys that may still be looked at before the timer fires. */
  #budget: number = SCAN_KEYS_PER_TICK;

  constructor(window: ScanWindow, timers: Timers, turn: Turn) {
    this.#window = window;
    this.#timers = timers;
    this.#turn = turn;
  }

  /** Whether another page would be one too many: the caller refuses as overloaded. */
  get full(): boolean {
    return this.#jobs.length >= SCAN_PAGES_MAX;
  }

  /** Makes the page that begins at `place`; one of the two is called, in this turn or a later one. */
  make(place: ScanPlace, prefix: Uint8Array, done: OnPage, onLost: OnLost): void {
    const { partition, position, after } = place;
    const entries = new OutgoingBuffer();
    this.#jobs.push({
      partition,
      prefix,
      done,
      onLost,
      entries,
      position,
      after,
      count: 0,
      slices: 0,
      lsn: 0,
      floor: undefined,
    });
    if (this.#jobs.length === 1) this.#run();
  }

  stop(): void {
    if (this.#timer !== undefined) this.#timers.stop(this.#timer);
    this.#timer = undefined;
    this.#jobs.length = 0;
  }

  /** One slice for each job in turn, while the budget lasts. */
  #run(): void {
    while (this.#budget > 0) {
      const job = this.#jobs.shift();
      if (job === undefined) break;
      if (!this.#slice(job)) this.#jobs.push(job);
    }
    this.#timer ??= this.#timers.start(0, () => {
      this.#timer = undefined;
      this.#budget = SCAN_KEYS_PER_TICK;
      if (this.#jobs.length > 0) this.#run();
    });
  }

  /** True when the page is done, and was handed over. */
  #slice(job: Job): boolean {
    const window = this.#window;
    // One floor speaks for the whole page: a key may be missing because its deletion was purged, or may come later.
    const floor = window.floorOf(job.partition);
    job.floor ??= floor;
    if (!isSame(floor, job.floor)) return this.#finish(job, ScanReach.position);
    window.collect(job.partition, job.position, job.after, job.prefix, false);
    // What is missing might be the only copy on the majority that is asked.
    if (window.hasLost(job.partition)) {
      job.onLost();
      return true;
    }
    this.#budget -= WINDOW_COST + window.seen;
    const nowMs = this.#turn.wallMs;
    let verifiedBytes = 0;
    for (let place = 0; place < window.count; place++) {
      if (job.entries.end >= SCAN_PAGE_BYTES) return this.#finish(job, ScanReach.lastEntry);
      // The rest of a window of large records has to wait. Damage is never answered: it was repaired just now, or the key
      // is lost here, so the window is collected again.
      if (verifiedBytes >= SCAN_SLICE_BYTES || !window.isSound(place)) {
        this.#budget -= verifiedBytes >>> VERIFIED_SHIFT;
        if (place > 0) {
          job.position = window.positionOf(place - 1);
          job.after = window.keyOf(place - 1);
        }
        return this.#sliceEnds(job, ScanReach.lastEntry);
      }
      verifiedBytes += this.#append(job, place, nowMs);
    }
    this.#budget -= verifiedBytes >>> VERIFIED_SHIFT;
    if (window.truncated) return this.#finish(job, ScanReach.lastEntry);
    if (window.end === TWO_32) return this.#finish(job, ScanReach.end);
    job.position = window.end;
    job.after = NO_BYTES;
    return this.#sliceEnds(job, ScanReach.position);
  }

  /** The page goes on with another slice, unless it had enough of them: then it is done, and reaches so far. */
  #sliceEnds(job: Job, reach: number): boolean {
    job.slices++;
    if (job.slices < SCAN_PAGE_SLICES || (reach === ScanReach.lastEntry && job.count === 0)) return false;
    return this.#finish(job, reach);
  }

  /** Returns the bytes of the record. */
  #append(job: Job, place: number, nowMs: number): number {
    const segment = this.#window.segmentOf(place);
    const offset = this.#window.offsetOf(place);
    const { bytes, view } = segment;
    const expiresAtMs = valueExpiresAtMs(view, offset);
    const absent = !recordHasValue(view, offset) || (expiresAtMs !== 0 && expiresAtMs <= nowMs);
    let counter = recordCounter(view, offset);
    let node = recordNode(view, offset);
    const kindLength = recordKindLength(view, offset);
    const keyLength = recordKeyLength(view, offset);
    const keyStart = offset + RECORD_HEADER_BYTES;
    // What a bare promise found is a plain version still; what was accepted beats all plain ones, and goes by its ballot.
    const isSerial = kindOf(kindLength) === RecordKind.serial;
    const serial = isSerial && counter !== 0;
    if (isSerial && counter === 0) {
      ({ counter, node } = serialStamp(view, serialBodyAt(view, offset), counter, node));
    }
    appendScanEntry(job.entries, absent, serial, counter, node, bytes, view, keyStart, keyLength);
    job.lsn = Math.max(job.lsn, segment.lsnOf(recordLsnLow(view, offset)));
    job.count++;
    return lengthOf(kindLength);
  }

  #finish(job: Job, reach: number): true {
    const { entries, count, lsn, floor = NO_FLOOR } = job;
    const position = reach === ScanReach.position ? job.position : 0;
    job.done(encodeReplicaPage(reach, position, floor, count, entries.bytes.subarray(0, entries.end)), lsn);
    return true;
  }
}

function isSame(left: Floor, right: Floor): boolean {
  return left.counter === right.counter && left.node === right.node && left.cutoffMs === right.cutoffMs;
}
