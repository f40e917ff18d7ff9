import { OutgoingBuffer } from '@memdb/protocol';

/** Idle buffers kept: as many connections as answer in one turn under load. */
const KEPT_MAX = 64;

/** Output buffers between uses, so that memory grows with the connections that talk and not with those that are open. */
export class OutgoingPool {
  readonly #idle: OutgoingBuffer[] = [];

  take(): OutgoingBuffer {
    return this.#idle.pop() ?? new OutgoingBuffer();
  }

  /** Takes back an empty buffer. */
  give(buffer: OutgoingBuffer): void {
    if (this.#idle.length < KEPT_MAX) this.#idle.push(buffer);
  }
}
