import { SNAPSHOT_IDLE_MS, SNAPSHOTS_MAX } from '../model/limits.js';
import type { Timer, Timers } from '../ports/timers.js';
import type { LogSnapshot, SnapshotSegment } from './log-snapshot.js';
import type { Store } from './store.js';

/** A snapshot that somebody reads piece by piece: a backup, or in time a node that is being filled. */
export interface SnapshotSession {
  readonly id: number;
  readonly lastLsn: number;
  readonly segments: readonly SnapshotSegment[];
}

interface Open {
  readonly snapshot: LogSnapshot;
  timer: Timer;
}

/** A snapshot that cannot be taken now (a write to the disk is under way) is tried again, for two seconds at most. */
const RETRY_MS = 10;
const TRIES_MAX = 200;

/**
 * Snapshots under way at one node. Who reads is not known here: chunks are handed out by segment and offset, in any
 * order and as often as asked, so the reader sets the pace. A session that asks for nothing for a while is ended.
 */
export class SnapshotSessions {
  readonly #store: Store;
  readonly #timers: Timers;
  readonly #open: Map<number, Open> = new Map();
  #lastId: number;
  #opening = 0;

  /** `firstId` is random, so that a session of an earlier start of the node is not taken for one of this. */
  constructor(store: Store, timers: Timers, firstId: number) {
    this.#store = store;
    this.#timers = timers;
    this.#lastId = firstId;
  }

  /** Whether another one would be one too many. */
  get full(): boolean {
    return this.#open.size + this.#opening >= SNAPSHOTS_MAX;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Makes all that was appended before this call durable and takes a snapshot; `done` gets undefined when none could be. */
  open(done: (session: SnapshotSession | undefined) => void): void {
    this.#opening++;
    this.#store.syncNow(() => this.#take(TRIES_MAX, done));
  }

  /** `length` bytes at `offset` of a segment, where they lie; undefined when there are no such session, segment or bytes. */
  read(id: number, segmentId: number, generation: number, offset: number, length: number): Uint8Array | undefined {
    const open = this.#open.get(id);
    if (open === undefined) return undefined;
    this.#timers.stop(open.timer);
    open.timer = this.#expiry(id);
    const found = open.snapshot.segments.find(
      ({ segment }) => segment.id === segmentId && segment.generation === generation,
    );
    if (found === undefined || offset + length > found.bytes) return undefined;
    if (found.segment.retired) throw new Error(`invariant: segment ${segmentId} went although a snapshot pins it`);
    return found.segment.bytes.subarray(offset, offset + length);
  }

  /** Ends a session; one that is not known has ended. */
  close(id: number): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    this.#timers.stop(open.timer);
    open.snapshot.release();
  }

  stop(): void {
    for (const id of [...this.#open.keys()]) this.close(id);
  }

  #take(tries: number, done: (session: SnapshotSession | undefined) => void): void {
    const lastLsn = this.#store.syncedLsn;
    const snapshot = this.#store.snapshot();
    if (snapshot === undefined && tries > 0) {
      this.#timers.start(RETRY_MS, () => this.#take(tries - 1, done));
      return;
    }
    this.#opening--;
    if (snapshot === undefined) {
      done(undefined);
      return;
    }
    this.#lastId = (this.#lastId + 1) >>> 0;
    const id = this.#lastId;
    this.#open.set(id, { snapshot, timer: this.#expiry(id) });
    done({ id, lastLsn, segments: snapshot.segments });
  }

  #expiry(id: number): Timer {
    return this.#timers.start(SNAPSHOT_IDLE_MS, () => this.close(id));
  }
}
