import type { ReadOperation } from './read-operation.js';

const NOBODY: readonly ReadOperation[] = [];

/** Reads in which this node's own answer waits for the log: a version is not spoken of before it is durable. */
export class OwnWaits {
  /** LSN, operation and its use; LSNs ascend. */
  readonly #lsns: number[] = [];
  readonly #operations: ReadOperation[] = [];
  readonly #uses: number[] = [];

  /** The read goes on once the log is durable up to `lsn`. */
  add(operation: ReadOperation, lsn: number): void {
    this.#lsns.push(lsn);
    this.#operations.push(operation);
    this.#uses.push(operation.use);
  }

  /** Takes those that waited for something up to `lsn` and were not answered meanwhile. */
  take(lsn: number): readonly ReadOperation[] {
    let count = 0;
    while (count < this.#lsns.length && this.#lsns[count] <= lsn) count++;
    if (count === 0) return NOBODY;
    this.#lsns.splice(0, count);
    const operations = this.#operations.splice(0, count);
    const uses = this.#uses.splice(0, count);
    return operations.filter((operation, index) => operation.use === uses[index]);
  }
}
