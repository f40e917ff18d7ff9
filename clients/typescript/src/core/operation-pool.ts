import { Operation } from './operation.js';

const FIRST = 256;
const NEVER: number = Number.POSITIVE_INFINITY;

/**
 * All operations under way, and when each has to be looked at again (deadline, back-off, a node that stays silent).
 * One timer and one pass over an array of numbers serve them all: a timer for each would cost more than the rest.
 */
export class OperationPool {
  readonly #operations: Operation[] = [];
  #free: Int32Array = new Int32Array(FIRST);
  #freeCount = 0;
  #checkAt: Float64Array = new Float64Array(FIRST).fill(NEVER);

  /** Operations under way. */
  get live(): number {
    return this.#operations.length - this.#freeCount;
  }

  take(): Operation {
    if (this.#freeCount > 0) return this.#operations[this.#free[--this.#freeCount] as number] as Operation;
    const index = this.#operations.length;
    if (index === this.#checkAt.length) this.#grow();
    const operation = new Operation(index);
    this.#operations.push(operation);
    return operation;
  }

  give(operation: Operation): void {
    operation.clear();
    this.#checkAt[operation.index] = NEVER;
    this.#free[this.#freeCount++] = operation.index;
  }

  /** Has `operation` handed to `sweep` once `atMs` has come. */
  checkAt(operation: Operation, atMs: number): void {
    this.#checkAt[operation.index] = atMs;
  }

  /** Hands every operation that is due to `due`, which must set its next time or give it back; returns the next time. */
  sweep(nowMs: number, due: (operation: Operation) => void): number {
    for (let index = 0; index < this.#operations.length; index++) {
      if ((this.#checkAt[index] as number) <= nowMs) {
        this.#checkAt[index] = NEVER;
        due(this.#operations[index] as Operation);
      }
    }
    // A second pass, because `due` may have moved any of them.
    let next = NEVER;
    for (let index = 0; index < this.#operations.length; index++) {
      const at = this.#checkAt[index] as number;
      if (at < next) next = at;
    }
    return next;
  }

  #grow(): void {
    const length = this.#checkAt.length * 2;
    const checkAt = new Float64Array(length).fill(NEVER);
    checkAt.set(this.#checkAt);
    this.#checkAt = checkAt;
    const free = new Int32Array(length);
    free.set(this.#free);
    this.#free = free;
  }
}
