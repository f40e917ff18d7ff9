import { randomFillSync } from 'node:crypto';
import type { Random } from '../ports/random.js';

/** Words drawn from the system at a time: one call into it costs as much as thousands of words. */
const WORDS_AHEAD = 1024;

/** The operating system's cryptographic generator. */
export class SystemRandom implements Random {
  readonly #words: Uint32Array<ArrayBuffer> = new Uint32Array(WORDS_AHEAD);
  #next: number = WORDS_AHEAD;

  uint32(): number {
    if (this.#next === WORDS_AHEAD) {
      randomFillSync(this.#words);
      this.#next = 0;
    }
    return this.#words[this.#next++];
  }

  fill(bytes: Uint8Array): void {
    randomFillSync(bytes);
  }
}
