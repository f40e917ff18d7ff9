import { onProcessSignals } from '../platform/process-signals.js';
import type { Clock } from '../ports/clock.js';

/**
 * Signals closer together than this are one request: Ctrl-C below `npm start` arrives twice, from the terminal and
 * forwarded by npm.
 */
const sameRequestMs = 500;

/** What asked the process to end; `internal` is the process itself. */
export type StopCause = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'internal';

/**
 * Waits for the request to end: Ctrl-C, SIGTERM or a closed terminal. While it is open, Node.js does not end the
 * process by itself on these signals.
 */
export class StopRequest {
  /** Resolves with the first request. */
  readonly requested: Promise<StopCause>;
  readonly #disconnect: () => void;
  #resolve: (cause: StopCause) => void = () => {};
  readonly #clock: Clock;
  #firstMs: number | undefined;
  #impatient = false;
  #onAgain: () => void = () => {};

  /** SIGHUP asks to end as well, unless `onHangup` gives it another meaning. */
  constructor(clock: Clock, onHangup?: () => void) {
    this.#clock = clock;
    this.requested = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#disconnect = onProcessSignals({
      terminate: (signal) => this.#received(signal),
      reload: onHangup ?? (() => this.#received('SIGHUP')),
    });
  }

  /** The process asks itself. */
  request(): void {
    this.#resolve('internal');
  }

  /** Calls `callback` for each signal that comes after a moment: the person is impatient. */
  onAgain(callback: () => void): void {
    this.#onAgain = callback;
    if (this.#impatient) callback();
  }

  close(): void {
    this.#disconnect();
  }

  #received(cause: StopCause): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#firstMs === undefined) {
      this.#firstMs = nowMs;
      this.#resolve(cause);
    } else if (nowMs - this.#firstMs >= sameRequestMs) {
      this.#impatient = true;
      this.#onAgain();
    }
  }
}
