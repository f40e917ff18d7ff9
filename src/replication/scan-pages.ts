import {
  appendScanEntry,
  encodeReplicaPage,
  OutgoingBuffer,
  type ScanPlace,
  ScanReach,
  serialStamp,
} from '@memdb/protocol';
import { SCAN_PAGE_BYTES, SCAN_PAGE_SLICES, SCAN_PAGES_MAX } from '../model/limits.js';
import {
  kindOf,
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
import { SCAN_SLICE_SLOTS, type ScanWindow } from '../storage/scan-window.js';

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
const TWO_32 = 4294967296;
const NO_BYTES = new Uint8Array(0);

/**
 * Makes pages of this replica's keys, with their stamps, deletions included, a slice at a time: all scans of the node
 * together get about one slice of the index in a millisecond, so that no operation waits longer than that for them.
 */
export class ScanPages {
  readonly #window: ScanWindow;
  readonly #timers: Timers;
  readonly #turn: Turn;
  readonly #jobs: Job[] = [];
  #timer: Timer | undefined;
  /** Keys that may still be looked at before the timer fires. */
  #budget: number = SCAN_SLICE_SLOTS;

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
      this.#budget = SCAN_SLICE_SLOTS;
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
    // What is missing might be the only copy on the majority that is asked.
    if (window.hasLost(job.partition)) {
      job.onLost();
      return true;
    }
    window.collect(job.partition, job.position, job.after, job.prefix);
    this.#budget -= WINDOW_COST + window.count;
    const nowMs = this.#turn.wallMs;
    for (let place = 0; place < window.count; place++) {
      if (job.entries.end >= SCAN_PAGE_BYTES) return this.#finish(job, ScanReach.lastEntry);
      this.#append(job, place, nowMs);
    }
    if (window.truncated) return this.#finish(job, ScanReach.lastEntry);
    if (window.end === TWO_32) return this.#finish(job, ScanReach.end);
    job.position = window.end;
    job.after = NO_BYTES;
    job.slices++;
    return job.slices >= SCAN_PAGE_SLICES && this.#finish(job, ScanReach.position);
  }

  #append(job: Job, place: number, nowMs: number): void {
    const segment = this.#window.segmentOf(place);
    const offset = this.#window.offsetOf(place);
    const { bytes, view } = segment;
    const expiresAtMs = valueExpiresAtMs(view, offset);
    const absent = !recordHasValue(view, offset) || (expiresAtMs !== 0 && expiresAtMs <= nowMs);
    let counter = recordCounter(view, offset);
    let node = recordNode(view, offset);
    const keyLength = recordKeyLength(view, offset);
    const keyStart = offset + RECORD_HEADER_BYTES;
    // What a bare promise found is a plain version still; what was accepted beats all plain ones, and goes by its ballot.
    const serial = kindOf(recordKindLength(view, offset)) === RecordKind.serial && counter !== 0;
    if (kindOf(recordKindLength(view, offset)) === RecordKind.serial && counter === 0) {
      ({ counter, node } = serialStamp(view, serialBodyAt(view, offset), counter, node));
    }
    appendScanEntry(job.entries, absent, serial, counter, node, bytes, view, keyStart, keyLength);
    job.lsn = Math.max(job.lsn, segment.lsnOf(recordLsnLow(view, offset)));
    job.count++;
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
