import { ReadOperation } from './read-operation.js';

/**
 * Quorum reads under way at once: a slot number is the low half of the correlation id sent to replicas. The last one is
 * left to repairs that no read sends (`topology/transfers/peer-asks.ts`).
 */
const OPERATIONS_MAX = 65_535;

/** The quorum reads of a node, in slots that are used again: nothing is allocated per read. */
export class ReadSlots {
  /** Every slot, those included that no read is in (`set` undefined). */
  readonly all: ReadOperation[] = [];
  readonly #free: ReadOperation[] = [];
  /** Reads that are not answered yet. */
  active = 0;

  /** A slot for another read; undefined when it would be one too many. Hot. */
  acquire(): ReadOperation | undefined {
    let operation = this.#free.pop();
    if (operation === undefined) {
      if (this.all.length === OPERATIONS_MAX) return undefined;
      operation = new ReadOperation(this.all.length);
      this.all.push(operation);
    }
    this.active++;
    return operation;
  }

  release(operation: ReadOperation): void {
    operation.release();
    this.#free.push(operation);
    this.active--;
  }

  /** The read that a reply with this correlation id belongs to; undefined when it was answered already. Hot. */
  named(correlation: number): ReadOperation | undefined {
    const operation = this.all[correlation & 0xffff];
    return operation !== undefined && operation.use === correlation >>> 16 ? operation : undefined;
  }
}
