import type { Link } from './link.js';
import type { Clock, Timers } from './ports.js';

/**
 * The present turn of the event loop: its time, read once, and the connections that have something to send when it
 * ends. All that is called in one turn leaves in one write per connection. Hot.
 */
export class Turn {
  readonly #clock: Clock;
  readonly #timers: Timers;
  #nowMs = -1;
  #isEndPlanned = false;
  readonly #unflushed: Link[] = [];

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timers = timers;
  }

  /** Milliseconds of the clock, as of the first question in this turn. */
  nowMs(): number {
    if (this.#nowMs < 0) {
      this.#nowMs = this.#clock.monotonicMs();
      this.#planEnd();
    }
    return this.#nowMs;
  }

  /** Has `link` flushed at the end of this turn. */
  planFlush(link: Link): void {
    this.#unflushed.push(link);
    this.#planEnd();
  }

  #planEnd(): void {
    if (this.#isEndPlanned) return;
    this.#isEndPlanned = true;
    this.#timers.endOfTurn(this.#onEnd);
  }

  readonly #onEnd = (): void => {
    this.#isEndPlanned = false;
    this.#nowMs = -1;
    for (const link of this.#unflushed) link.flush();
    this.#unflushed.length = 0;
  };
}
