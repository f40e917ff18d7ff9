/** A running timer; opaque to everyone but the `Timers` that made it. */
export interface Timer {
  readonly timerBrand?: never;
}

export interface Timers {
  /** Calls `callback` once, no earlier than `delayMs` milliseconds from now. */
  start(delayMs: number, callback: () => void): Timer;
  /** Stops a timer; stopping one that fired or was stopped does nothing. */
  stop(timer: Timer): void;
  /** Calls `callback` at the end of the current turn of the event loop, before any other event is handled. */
  endOfTurn(callback: () => void): void;
}
