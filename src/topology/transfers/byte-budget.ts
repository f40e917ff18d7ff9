/** What may be saved up while nothing is asked for, as a part of a second's bytes. */
const SAVED_PART = 0.25;

/** So many bytes a second, and not all of them at once. An answer may overdraw it; the next question waits then. */
export class ByteBudget {
  #bytesPerSecond: number;
  #left = 0;
  #filledMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  set bytesPerSecond(value: number) {
    this.#bytesPerSecond = value;
  }

  /** Whether something more may be asked for now. */
  allows(nowMs: number): boolean {
    const passedMs = Math.max(0, nowMs - this.#filledMs);
    this.#filledMs = nowMs;
    const saved = this.#bytesPerSecond * SAVED_PART;
    this.#left = Math.min(saved, this.#left + (passedMs / 1000) * this.#bytesPerSecond);
    return this.#left > 0;
  }

  spend(bytes: number): void {
    this.#left -= bytes;
  }
}
