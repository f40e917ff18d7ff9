import type { Operation } from './operation.js';

const SLOTS_FIRST = 64;
/** Slots are 16 bits of the correlation id. In flight (at most half) and abandoned (at most half) fit by construction. */
const SLOTS_MAX = 65536;
/** More requests than this without an answer, after their callers gave up, and the connection is closed. */
export const ABANDONED_MAX: number = SLOTS_MAX / 2;
/** The most requests one connection may have waiting for replies. */
export const IN_FLIGHT_MAX: number = SLOTS_MAX / 2;

/** What a correlation id stands for: nothing this connection sent, or a request nobody waits for any more. */
export const Unmatched = { unknown: 0, abandoned: 1 } as const;

/**
 * The requests of one connection that wait for replies. A correlation id is slot | generation << 16. A slot is
 * taken again only after its reply came, so that a late reply can never be handed to another request; the generation
 * makes a reply that comes twice visible as what it is, a broken server.
 * Hot: `bench -- client` watches it. Slots are reused last in, first out, so that few cache lines are touched.
 */
export class PendingReplies {
  #operations: (Operation | undefined)[] = [];
  #generations: Uint16Array = new Uint16Array(SLOTS_FIRST);
  /** 1 while a reply is owed, whether or not somebody still waits for it. */
  #owed: Uint8Array = new Uint8Array(SLOTS_FIRST);
  #free: Uint16Array = new Uint16Array(SLOTS_FIRST);
  #freeCount = 0;
  #used = 0;
  /** Requests somebody waits for. */
  inFlight = 0;
  /** Requests whose callers gave up (deadline, abort, fail-over) and whose replies are still owed. */
  abandoned = 0;
  /** Of the last `match` that returned undefined. */
  unmatched: number = Unmatched.unknown;

  /** Takes a slot for `operation`; returns its correlation id, which is never 0 (the handshake's). */
  take(operation: Operation): number {
    let slot: number;
    if (this.#freeCount > 0) slot = this.#free[--this.#freeCount] as number;
    else {
      if (this.#used === this.#generations.length) this.#grow();
      slot = this.#used++;
      this.#generations[slot] = 1;
      this.#operations.push(undefined);
    }
    this.#operations[slot] = operation;
    this.#owed[slot] = 1;
    this.inFlight++;
    return (slot | ((this.#generations[slot] as number) << 16)) >>> 0;
  }

  /** The operation a reply belongs to, whose slot is free from now on; undefined says why in `unmatched`. */
  match(correlation: number): Operation | undefined {
    const slot = correlation & 0xffff;
    if (slot >= this.#used || this.#generations[slot] !== correlation >>> 16 || this.#owed[slot] === 0) {
      this.unmatched = Unmatched.unknown;
      return undefined;
    }
    const operation = this.#operations[slot];
    this.#operations[slot] = undefined;
    this.#owed[slot] = 0;
    const generation = ((this.#generations[slot] as number) + 1) & 0xffff;
    this.#generations[slot] = generation === 0 ? 1 : generation;
    this.#free[this.#freeCount++] = slot;
    if (operation === undefined) {
      this.abandoned--;
      this.unmatched = Unmatched.abandoned;
    } else this.inFlight--;
    return operation;
  }

  /** Nobody waits for this reply any more. The slot stays taken until it comes. */
  abandon(correlation: number): void {
    this.#operations[correlation & 0xffff] = undefined;
    this.inFlight--;
    this.abandoned++;
  }

  /** The connection is gone: hands every operation that waited to `each`, in the order of their slots. */
  drain(each: (operation: Operation) => void): void {
    const operations = this.#operations;
    this.#operations = [];
    this.#used = 0;
    this.#freeCount = 0;
    this.inFlight = 0;
    this.abandoned = 0;
    for (const operation of operations) if (operation !== undefined) each(operation);
  }

  #grow(): void {
    const length = this.#generations.length * 2;
    if (length > SLOTS_MAX) throw new Error('invariant: more requests than slots on one connection');
    const generations = new Uint16Array(length);
    generations.set(this.#generations);
    this.#generations = generations;
    const owed = new Uint8Array(length);
    owed.set(this.#owed);
    this.#owed = owed;
    const free = new Uint16Array(length);
    free.set(this.#free);
    this.#free = free;
  }
}
