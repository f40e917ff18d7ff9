import type { Clock } from './clock.js';
import type { Timers } from './timers.js';

/**
 * One turn of the event loop: everything that became ready in it leaves together. Whoever has something to send or to
 * write calls `wake`; at the end of the turn each stage runs once, in the order in which the stages were added.
 */
export class Turn {
  readonly #timers: Timers;
  readonly #clock: Clock;
  readonly #stages: (() => void)[] = [];
  #awake = false;
  #nowMs = 0;
  #wallMs = 0;

  constructor(timers: Timers, clock: Clock) {
    this.#timers = timers;
    this.#clock = clock;
  }

  addStage(stage: () => void): void {
    this.#stages.push(stage);
  }

  /** Monotonic milliseconds, read at most once a turn: reading the clock costs more than a lookup. */
  get nowMs(): number {
    if (this.#nowMs === 0) {
      this.#nowMs = this.#clock.monotonicMs();
      this.wake();
    }
    return this.#nowMs;
  }

  /** The wall clock in Unix milliseconds, read at most once a turn: expiry is judged alike all through a turn. */
  get wallMs(): number {
    if (this.#wallMs === 0) {
      this.#wallMs = this.#clock.wallMs();
      this.wake();
    }
    return this.#wallMs;
  }

  wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    this.#timers.endOfTurn(this.#end);
  }

  readonly #end = (): void => {
    // Cleared first: a stage that makes work for an earlier stage wakes the turn again.
    this.#awake = false;
    this.#nowMs = 0;
    this.#wallMs = 0;
    for (const stage of this.#stages) stage();
  };
}
