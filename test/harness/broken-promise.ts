import type { SimWorld } from './sim-world.js';

/** A promise that did not hold: a sentence, and the key it is about, for the trace around it. */
export interface BrokenPromise {
  readonly text: string;
  readonly key: string | undefined;
  /** Time of the world at which it was found out. */
  readonly atMs: number;
}

/** Collects broken promises; the first ones matter, a broken run may break thousands. */
export class BrokenPromises {
  readonly all: BrokenPromise[] = [];
  readonly #world: SimWorld;
  /** How many there were, also those not kept. */
  count = 0;

  constructor(world: SimWorld) {
    this.#world = world;
  }

  add(text: string, key?: string): void {
    this.count++;
    if (this.all.length < KEPT_MAX)
      this.all.push({ text: key === undefined ? text : `${nameOf(key)}: ${text}`, key, atMs: this.#world.nowMs });
  }

  get texts(): string[] {
    return this.all.map(({ text }) => text);
  }
}

const KEPT_MAX = 100;

/** One key is as long as keys may be. */
function nameOf(key: string): string {
  return key.length > NAME_MAX ? `${key.slice(0, NAME_MAX)}…` : key;
}

const NAME_MAX = 40;
