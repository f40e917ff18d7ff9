import type { Clock } from '../../src/ports/clock.js';
import type { SimScheduler } from './sim-scheduler.js';

/** The wall clock at the start of every simulation: 2026-01-01T00:00:00Z. */
const EPOCH_MS = 1_767_225_600_000;

/** The clock of one machine: it may run fast or slow, and its wall time may jump. It outlives restarts. */
export class SimClock implements Clock {
  readonly #scheduler: SimScheduler;
  #rate = 1;
  #rateSinceMs = 0;
  #localMs: number;
  #wallOffsetMs: number;

  /** `originMs`: what the monotonic clock shows at the start. */
  constructor(scheduler: SimScheduler, originMs: number) {
    this.#scheduler = scheduler;
    this.#localMs = originMs;
    // All machines agree about the time of day until somebody moves a clock.
    this.#wallOffsetMs = EPOCH_MS - originMs;
  }

  monotonicMs(): number {
    return this.#localMs + (this.#scheduler.nowMs - this.#rateSinceMs) * this.#rate;
  }

  wallMs(): number {
    return this.monotonicMs() + this.#wallOffsetMs;
  }

  /** Local milliseconds per millisecond of the world; 1.001 gains a second in a thousand. */
  setRate(rate: number): void {
    this.#localMs = this.monotonicMs();
    this.#rateSinceMs = this.#scheduler.nowMs;
    this.#rate = rate;
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** How long the world has to wait until this clock has advanced by `localMs`. */
  worldDelayMs(localMs: number): number {
    return localMs / this.#rate;
  }
}
