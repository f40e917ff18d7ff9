import type { Replies, ReplyTarget } from './replies.js';
import { OVERWRITTEN, WRITE_TIMEOUT } from './write-errors.js';

/** A write that a later one of the same coordinator replaces; it is answered when that one is. */
interface OvertakenWrite {
  /** Of the later write; changes when that one is stamped again. */
  lsn: number;
  readonly target: ReplyTarget;
  readonly opcode: number;
  readonly correlation: number;
  readonly counter: number;
  readonly deadlineMs: number;
}

/** The overtaken writes of a node. Nearly always empty. */
export class OvertakenWrites {
  readonly #replies: Replies;
  readonly #self: number;
  #writes: OvertakenWrite[] = [];

  constructor(replies: Replies, self: number) {
    this.#replies = replies;
    this.#self = self;
  }

  get size(): number {
    return this.#writes.length;
  }

  add(write: OvertakenWrite): void {
    this.#writes.push(write);
  }

  /** The write that others waited for got another LSN, or waits for one itself. */
  move(from: number, to: number): void {
    for (const write of this.#writes) if (write.lsn === from) write.lsn = to;
  }

  /** The write that others waited for goes on in another way: what became of them is not known here. */
  abandon(lsn: number): void {
    this.#writes = this.#writes.filter((write) => {
      if (write.lsn !== lsn) return true;
      this.#replies.error(write.target, write.opcode, write.correlation, OVERWRITTEN);
      return false;
    });
  }

  /** A write was acknowledged: so are those that it overtook. Hot while there are none. */
  answer(lsn: number): void {
    if (this.#writes.length === 0) return;
    this.#writes = this.#writes.filter((write) => {
      if (write.lsn !== lsn) return true;
      this.#replies.stamp(write.target, write.opcode, 0, write.correlation, write.counter, this.#self);
      return false;
    });
  }

  /** Answers what has passed its deadline: its outcome is unknown, as that of the write it waits for. */
  expire(nowMs: number): void {
    this.#writes = this.#writes.filter((write) => {
      if (write.deadlineMs > nowMs) return true;
      this.#replies.error(write.target, write.opcode, write.correlation, WRITE_TIMEOUT);
      return false;
    });
  }
}
