/**
 * The node's Lamport clock (Lamport 1978, "Time, Clocks, and the Ordering of Events", section 2) under a lease.
 *
 * A coordinator may send a stamped write to its peers before its own disk has it, crash, and recover a lower
 * counter; a second write could then get the same stamp. So a mark well ahead is made durable before any stamp
 * below it is used, and a restart begins at the mark (mechanisms: Stamps).
 *
 * Invariants: a stamp handed out is above every one handed out before, across restarts too; it is at most the durable
 * mark; every counter stays below 2^53.
 */
export interface LamportClockOptions {
  /** The durable mark of the last run, and at least the highest counter found in the log. */
  readonly start: number;
  /** Makes a mark durable, then calls `done`. Never called again before `done`. */
  readonly lease: (mark: number, done: () => void) => void;
}

/** Stamps a lease covers: 2^24 is minutes of full load, and 2^53 / 2^24 allows half a billion restarts. */
export const LEASE_AHEAD = 16_777_216;
/** A client's counter is believed below this only: a broken client must not use up the counters. */
export const CLIENT_COUNTER_MAX: number = 2 ** 52;
/** How far one client frame may move the clock. */
export const CLIENT_COUNTER_JUMP_MAX: number = 2 ** 32;

export class LamportClock {
  /** The highest counter used or seen; what every outgoing frame carries. */
  current: number;
  #mark: number;
  #leasing = false;
  readonly #lease: LamportClockOptions['lease'];

  constructor(options: LamportClockOptions) {
    this.current = options.start;
    this.#mark = options.start;
    this.#lease = options.lease;
  }

  /** Whether a stamp can be given right now. */
  get leased(): boolean {
    return this.current < this.#mark;
  }

  /** A peer's counter: always accepted. */
  observe(counter: number): void {
    if (counter > this.current) this.current = counter;
  }

  /** A client's counter. False when it is too far ahead to be believed; the clock has not moved then. */
  observeClient(counter: number): boolean {
    if (counter <= this.current) return true;
    if (counter >= CLIENT_COUNTER_MAX || counter - this.current > CLIENT_COUNTER_JUMP_MAX) return false;
    this.current = counter;
    return true;
  }

  /**
   * The counter of a new stamp: above all used, seen, and `floor`. Zero when the lease does not reach that far yet; the
   * extension is under way then and the caller refuses the operation as retryable. Hot.
   */
  next(floor: number): number {
    const counter = Math.max(floor, this.current) + 1;
    if (counter > this.#mark) {
      this.observe(floor);
      this.extend();
      return 0;
    }
    this.current = counter;
    if (this.#mark - counter < LEASE_AHEAD / 2) this.extend();
    return counter;
  }

  /** Whether so many stamps above `floor` can be given right now; if not, the lease is being extended. */
  hasStamps(floor: number, count: number): boolean {
    if (Math.max(floor, this.current) + count <= this.#mark) return true;
    this.observe(floor);
    this.extend();
    return false;
  }

  /** Asks for a longer lease when none is being made durable; `done` is called when a stamp can be given. */
  extend(done?: () => void): void {
    if (this.#leasing) return;
    this.#leasing = true;
    const mark = this.current + LEASE_AHEAD;
    this.#lease(mark, () => {
      this.#leasing = false;
      this.#mark = mark;
      if (this.leased) done?.();
      else this.extend(done);
    });
  }
}
