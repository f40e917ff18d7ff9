import { onProcessSignals } from '../platform/process-signals.js';

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
  #signals = 0;
  #onAgain: () => void = () => {};

  constructor() {
    this.requested = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#disconnect = onProcessSignals({
      terminate: (signal) => this.#received(signal),
      reload: () => this.#received('SIGHUP'),
    });
  }

  /** The process asks itself. */
  request(): void {
    this.#resolve('internal');
  }

  /** Calls `callback` for the second and each further signal: the person is impatient. */
  onAgain(callback: () => void): void {
    this.#onAgain = callback;
    if (this.#signals > 1) callback();
  }

  close(): void {
    this.#disconnect();
  }

  #received(cause: StopCause): void {
    this.#signals++;
    if (this.#signals === 1) this.#resolve(cause);
    else this.#onAgain();
  }
}
