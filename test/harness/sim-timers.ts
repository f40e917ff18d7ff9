import type { Timer, Timers } from '../../src/ports/timers.js';
import type { SimClock } from './sim-clock.js';
import { SIM_EVENT, SimEvent } from './sim-event.js';
import type { SimHost } from './sim-host.js';
import type { SimScheduler } from './sim-scheduler.js';

/** Added to every delay, so that no rounding lets a timer fire before its own clock says so. */
const ROUNDING_MS = 1e-6;

class SimTimer extends SimEvent implements Timer {
  declare readonly timerBrand?: never;
  readonly #callback: () => void;

  constructor(host: SimHost, callback: () => void) {
    super(host, SIM_EVENT.timer);
    this.#callback = callback;
  }

  run(): void {
    // Stopping a timer that fired does nothing.
    this.cancelled = true;
    this.#callback();
  }
}

/** Timers of one process on virtual time. */
export class SimTimers implements Timers {
  readonly #scheduler: SimScheduler;
  readonly #host: SimHost;
  readonly #clock: SimClock;

  constructor(scheduler: SimScheduler, host: SimHost, clock: SimClock) {
    this.#scheduler = scheduler;
    this.#host = host;
    this.#clock = clock;
  }

  start(delayMs: number, callback: () => void): Timer {
    const timer = new SimTimer(this.#host, callback);
    const worldMs = this.#scheduler.nowMs + this.#clock.worldDelayMs(Math.max(0, delayMs));
    this.#scheduler.schedule(timer, worldMs + ROUNDING_MS);
    return timer;
  }

  stop(timer: Timer): void {
    if (timer instanceof SimTimer) this.#scheduler.cancel(timer);
  }

  endOfTurn(callback: () => void): void {
    this.#scheduler.endOfTurn(this.#host, callback);
  }
}
