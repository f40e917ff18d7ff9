/** A promise that did not hold: a sentence, and the key it is about, for the trace around it. */
export interface BrokenPromise {
  readonly text: string;
  readonly key: string | undefined;
}

/** Collects broken promises; the first ones matter, a broken run may break thousands. */
export class BrokenPromises {
  readonly all: BrokenPromise[] = [];
  /** How many there were, also those not kept. */
  count = 0;

  add(text: string, key?: string): void {
    this.count++;
    if (this.all.length < KEPT_MAX) this.all.push({ text: key === undefined ? text : `${key}: ${text}`, key });
  }

  get texts(): string[] {
    return this.all.map(({ text }) => text);
  }
}

const KEPT_MAX = 100;
