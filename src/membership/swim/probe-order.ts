import type { Random } from '../../ports/random.js';

/**
 * Whom to probe next (SWIM, section 4.3): everybody once, in an order drawn anew each time around, so that a death is
 * noticed within a bounded time and not only on average. A newcomer is put at a random place.
 */
export class ProbeOrder {
  readonly #random: Random;
  readonly #order: string[] = [];
  /** Out of turn. */
  #soon: string | undefined;
  #next = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#order.length;
  }

  add(uuid: string): void {
    if (this.#order.includes(uuid)) return;
    const at = below(this.#random, this.#order.length + 1);
    this.#order.splice(at, 0, uuid);
    if (at < this.#next) this.#next++;
  }

  remove(uuid: string): void {
    const at = this.#order.indexOf(uuid);
    if (at === -1) return;
    this.#order.splice(at, 1);
    if (at < this.#next) this.#next--;
  }

  /** Who comes next, once, whatever the order is; the last one asked for counts. */
  soon(uuid: string): void {
    this.#soon = uuid;
  }

  next(): string | undefined {
    const soon = this.#soon;
    this.#soon = undefined;
    if (soon !== undefined && this.#order.includes(soon)) return soon;
    if (this.#next >= this.#order.length) {
      shuffle(this.#random, this.#order);
      this.#next = 0;
    }
    return this.#order[this.#next++];
  }

  /** Up to `count` distinct ones that `fits`, at random. */
  pick(count: number, fits: (uuid: string) => boolean): string[] {
    const candidates = this.#order.filter(fits);
    shuffle(this.#random, candidates);
    return candidates.slice(0, count);
  }
}

/** A whole number in [0, bound). */
export function below(random: Random, bound: number): number {
  return Math.floor((random.uint32() / 2 ** 32) * bound);
}

function shuffle(random: Random, list: string[]): void {
  for (let index = list.length - 1; index > 0; index--) {
    const other = below(random, index + 1);
    [list[index], list[other]] = [list[other], list[index]];
  }
}
