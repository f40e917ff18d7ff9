import type { Operation } from './operation.js';
import type { OperationPool } from './operation-pool.js';
import type { Timer, Timers } from './ports.js';
import type { Turn } from './turn.js';

/** A node that said nothing for this long after a request, or for a quarter of the request's time, counts as silent. */
const SILENCE_MS = 500;
const SILENCE_PARTS = 4;

/**
 * Looks at operations again when their time comes: deadline, end of a back-off, a node that may have gone silent.
 * One timer for all of them, set to the earliest; at a steady load it is set anew a few times a second.
 */
export class Watch {
  readonly #pool: OperationPool;
  readonly #turn: Turn;
  readonly #timers: Timers;
  readonly #onDue: (operation: Operation, nowMs: number) => void;
  #timer: Timer | undefined = undefined;
  #nextMs: number = Number.POSITIVE_INFINITY;

  constructor(pool: OperationPool, turn: Turn, timers: Timers, onDue: (operation: Operation, nowMs: number) => void) {
    this.#pool = pool;
    this.#turn = turn;
    this.#timers = timers;
    this.#onDue = onDue;
  }

  /** For an operation that is sent or waits: at its deadline, or when its node would count as silent. Hot. */
  follow(operation: Operation): void {
    const silenceMs = Math.min(SILENCE_MS, operation.timeoutMs / SILENCE_PARTS);
    this.at(operation, Math.min(operation.deadlineAt, this.#turn.nowMs() + silenceMs));
  }

  at(operation: Operation, atMs: number): void {
    this.#pool.checkAt(operation, atMs);
    if (atMs < this.#nextMs) this.#arm(atMs);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#timers.stop(this.#timer);
    this.#timer = undefined;
    this.#nextMs = Number.POSITIVE_INFINITY;
  }

  #arm(atMs: number): void {
    this.stop();
    this.#nextMs = atMs;
    this.#timer = this.#timers.start(Math.max(1, Math.ceil(atMs - this.#turn.nowMs())), this.#onTimer);
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    this.#nextMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#turn.nowMs();
    const nextMs = this.#pool.sweep(nowMs, (operation) => this.#onDue(operation, nowMs));
    if (nextMs < this.#nextMs) this.#arm(nextMs);
  };
}
