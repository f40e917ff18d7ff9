import type { Link } from './link.js';

/**
 * Buckets of key hashes. A shared bucket only costs a detour or a retry, never order: with 64 writes under way, the
 * chance that two of them meet is 64 / 16,384 for each. 128 KiB in all.
 */
const BUCKETS = 16384;

/**
 * Keeps writes to one key in the order in which they were called, also when nobody waited in between:
 * a write follows the connection of those to its key that are still under way, and one that was refused is not
 * sent again once a later one to its key was called (it would overwrite what came after it).
 * Hot: `bench -- client` watches it.
 */
export class WriteOrder {
  readonly #underWay: Uint32Array = new Uint32Array(BUCKETS);
  readonly #links: (Link | undefined)[] = new Array(BUCKETS).fill(undefined);
  readonly #last: Uint32Array = new Uint32Array(BUCKETS);
  #next = 0;

  /** A write to a key with this hash was called; returns its sequence number. */
  begin(hash: number): number {
    // 0 means that a write has not begun; the numbers go round after 2^32 writes.
    this.#next = this.#next === 0xffffffff ? 1 : this.#next + 1;
    this.#last[hash & (BUCKETS - 1)] = this.#next;
    return this.#next;
  }

  /** True when no later write to this key was called. */
  isLast(hash: number, sequence: number): boolean {
    return this.#last[hash & (BUCKETS - 1)] === sequence;
  }

  /** The connection that carries earlier writes to this key, or undefined when none is under way. */
  linkInUse(hash: number): Link | undefined {
    const bucket = hash & (BUCKETS - 1);
    return this.#underWay[bucket] === 0 ? undefined : this.#links[bucket];
  }

  /** The write was bound to `link`. */
  bind(hash: number, link: Link): void {
    const bucket = hash & (BUCKETS - 1);
    (this.#underWay[bucket] as number)++;
    this.#links[bucket] = link;
  }

  /** A write that was bound was answered, given up, or left its connection. */
  unbind(hash: number): void {
    const bucket = hash & (BUCKETS - 1);
    if (--(this.#underWay[bucket] as number) === 0) this.#links[bucket] = undefined;
  }
}
