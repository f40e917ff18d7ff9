/** The rate follows what happens within about so many milliseconds. */
const WINDOW_MS = 5000;

/** Requests a second, lately: what others and people see of the load of a node. */
export class RequestRate {
  readonly #count: () => number;
  readonly #nowMs: () => number;
  #counted = 0;
  #atMs: number;
  #perMs = 0;

  /** `count`: requests so far. `nowMs`: monotonic milliseconds. */
  constructor(count: () => number, nowMs: () => number) {
    this.#count = count;
    this.#nowMs = nowMs;
    this.#atMs = nowMs();
  }

  /** Rounded. To be asked for several times in a window. */
  get perSecond(): number {
    const elapsedMs = this.#nowMs() - this.#atMs;
    if (elapsedMs > 0) {
      const counted = this.#count();
      const weight = 1 - Math.exp(-elapsedMs / WINDOW_MS);
      this.#perMs += weight * ((counted - this.#counted) / elapsedMs - this.#perMs);
      this.#counted = counted;
      this.#atMs += elapsedMs;
    }
    return Math.round(this.#perMs * 1000);
  }
}
