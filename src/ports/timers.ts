/** A running timer; opaque to everyone but the `Timers` that made it. */
export interface Timer {
  readonly timerBrand?: never;
}

export interface Timers {
  /** Calls `callback` once, no earlier than `delayMs` milliseconds from now. */
  start(delayMs: number, callback: () => void): Timer;
  /** Stops a timer; stopping one that fired or was stopped does nothing. */
  stop(timer: Timer): void;
  /** Calls `callback` once the events that are ready now were handled, before the event loop waits again. */
  endOfTurn(callback: () => void): void;
}
