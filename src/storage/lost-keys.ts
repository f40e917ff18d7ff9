/** A key whose newest version was found damaged here, and may stand with other replicas. */
export interface LostKey {
  readonly hash: number;
  readonly partition: number;
  /** No version that was here had a higher counter. */
  readonly counter: number;
  /** Where the damaged record lay. */
  readonly file: string;
  readonly offset: number;
}

/**
 * Keys of which this replica lost the newest version, by their hash: the key itself may be what was damaged. It does
 * not know what became of them, so it neither answers for them nor refuses anything by its floor, until it has
 * compared equal with every other owner or a newer version came. Nearly always empty.
 */
export class LostKeys {
  readonly #keys: Map<number, LostKey> = new Map();

  /** Looked at on every lookup: hot. */
  get size(): number {
    return this.#keys.size;
  }

  has(hash: number): boolean {
    return this.#keys.has(hash);
  }

  add(key: LostKey): void {
    this.#keys.set(key.hash, key);
  }

  /** A version with this counter was admitted: one that was stamped after the loss makes up for it. */
  onAdmitted(hash: number, counter: number): void {
    const key = this.#keys.get(hash);
    if (key !== undefined && counter > key.counter) this.#keys.delete(hash);
  }

  /** What can be known of the key is known. */
  settle(key: LostKey): void {
    this.#keys.delete(key.hash);
  }

  in(partition: number): LostKey[] {
    return [...this.#keys.values()].filter((key) => key.partition === partition);
  }
}
