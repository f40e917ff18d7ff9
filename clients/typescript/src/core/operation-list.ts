import type { Operation } from './operation.js';

/**
 * A first-in, first-out list threaded through the operations themselves: nothing is allocated, and one that is
 * aborted or runs out of time leaves from the middle at once.
 */
export class OperationList {
  #first: Operation | undefined = undefined;
  #last: Operation | undefined = undefined;
  length = 0;

  push(operation: Operation): void {
    operation.list = this;
    operation.previous = this.#last;
    operation.next = undefined;
    if (this.#last === undefined) this.#first = operation;
    else this.#last.next = operation;
    this.#last = operation;
    this.length++;
  }

  first(): Operation | undefined {
    return this.#first;
  }

  shift(): Operation | undefined {
    const operation = this.#first;
    if (operation !== undefined) this.remove(operation);
    return operation;
  }

  remove(operation: Operation): void {
    if (operation.previous === undefined) this.#first = operation.next;
    else operation.previous.next = operation.next;
    if (operation.next === undefined) this.#last = operation.previous;
    else operation.next.previous = operation.previous;
    operation.previous = undefined;
    operation.next = undefined;
    operation.list = undefined;
    this.length--;
  }
}
