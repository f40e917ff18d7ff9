import type { SimPipe } from './sim-pipe.js';
import { hashBytes } from './sim-trace.js';

/** Hashed together: small, so that taking a large write bit by bit does not hash it again and again. */
const BLOCK_BYTES = 4096;

/**
 * Part of a write that the kernel has not taken. The bytes stay where the caller has them, who must not write there
 * any more: hashes tell whether that happened.
 */
export class SimRetained {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  readonly #hashes: Int32Array;
  #next: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#next = start;
    this.#hashes = new Int32Array(Math.ceil((end - start) / BLOCK_BYTES));
    for (let block = 0; block < this.#hashes.length; block++) this.#hashes[block] = this.#hash(block);
  }

  get length(): number {
    return this.#end - this.#next;
  }

  /** Sends the next `count` bytes. Throws when they are no longer what was written. */
  sendTo(pipe: SimPipe, count: number, owner: string): void {
    const last = Math.floor((this.#next + count - 1 - this.#start) / BLOCK_BYTES);
    for (let block = Math.floor((this.#next - this.#start) / BLOCK_BYTES); block <= last; block++) {
      if (this.#hash(block) !== this.#hashes[block]) {
        throw new Error(`${owner} wrote into a buffer that its connection still keeps`);
      }
    }
    pipe.send(this.#bytes, this.#next, this.#next + count);
    this.#next += count;
  }

  #hash(block: number): number {
    const from = this.#start + block * BLOCK_BYTES;
    return hashBytes(this.#bytes, from, Math.min(from + BLOCK_BYTES, this.#end));
  }
}
