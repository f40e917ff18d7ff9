import type { Link } from './link.js';

/** Buckets of key hashes. A shared bucket costs a detour or a closer look, never order. 192 KiB in all. */
const BUCKETS = 16384;
/** Writes that a closer look goes back. 256 KiB, and 50 µs for a look at all of them. */
const LOG_LENGTH = 65536;

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
  /** Hash of each of the latest writes, by sequence number. */
  readonly #log: Uint32Array = new Uint32Array(LOG_LENGTH);
  #next = 0;

  /** A write to a key with this hash was called; returns its sequence number. */
  begin(hash: number): number {
    // 0 means that a write has not begun; the numbers go round after 2^32 writes.
    this.#next = this.#next === 0xffffffff ? 1 : this.#next + 1;
    this.#last[hash & (BUCKETS - 1)] = this.#next;
    this.#log[this.#next & (LOG_LENGTH - 1)] = hash;
    return this.#next;
  }

  /** Whether no later write to this key was called; false when that is too long ago to tell. */
  isLast(hash: number, sequence: number): boolean {
    if (this.#last[hash & (BUCKETS - 1)] === sequence) return true;
    const later = (this.#next - sequence) >>> 0;
    if (later >= LOG_LENGTH) return false;
    for (let back = 0; back < later; back++) {
      if (this.#log[(this.#next - back) & (LOG_LENGTH - 1)] === hash >>> 0) return false;
    }
    return true;
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
