import type { Random } from '../../src/ports/random.js';

const UNIT = 2 ** -32;

/**
 * The generator behind everything random in a simulation: xoshiro128** (Blackman and Vigna, "Scrambled linear
 * pseudorandom number generators", 2018), seeded through splitmix32.
 */
export class SimRandom implements Random {
  readonly seed: number;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    let state = this.seed;
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let word = state ^ (state >>> 16);
      word = Math.imul(word, 0x21f0aaad);
      word ^= word >>> 15;
      word = Math.imul(word, 0x735a2d97);
      return word ^ (word >>> 15);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1;
  }

  /** A generator of its own for `label`: what is drawn from one leaves the other alone. Draws nothing. */
  fork(label: string): SimRandom {
    let hash = this.seed ^ 0x811c9dc5;
    for (let index = 0; index < label.length; index++) hash = Math.imul(hash ^ label.charCodeAt(index), 0x01000193);
    return new SimRandom(hash);
  }

  uint32(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9);
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result >>> 0;
  }

  fill(bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length; index += 4) {
      const word = this.uint32();
      bytes[index] = word;
      if (index + 1 < bytes.length) bytes[index + 1] = word >>> 8;
      if (index + 2 < bytes.length) bytes[index + 2] = word >>> 16;
      if (index + 3 < bytes.length) bytes[index + 3] = word >>> 24;
    }
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.uint32() * UNIT;
  }

  /** A whole number in [0, bound); 0 when `bound` is below 1. */
  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  between(low: number, high: number): number {
    return low + this.unit() * (high - low);
  }

  /** True with this probability. Draws nothing for 0. */
  chance(probability: number): boolean {
    return probability > 0 && this.unit() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }
}
