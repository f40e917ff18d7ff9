import { copyBytes, OutgoingBuffer } from '@memdb/protocol';
import { HELD_REPLY_BYTES_MAX } from '../model/limits.js';
import type { Replies, ReplyError, ReplyTarget } from './replies.js';

/** Entries released before the lists are shortened: amortises the move. */
const FORGET_AFTER = 1024;

/**
 * Replies that speak of records which are not durable yet. "No reply of any kind speaks of a record that is not yet
 * durable" (semantics: Durability): the body is made at once, and held until the log is durable up to where it stood.
 *
 * Held LSNs only grow, so release is a walk from the oldest. A disk may be slow, or full: what waits until its deadline is
 * answered with a timeout instead.
 */
export class HeldReplies {
  readonly #replies: Replies;
  #bodies = new OutgoingBuffer();
  #released = 0;
  readonly #lsns: number[] = [];
  /** Undefined: answered at its deadline. */
  readonly #targets: (ReplyTarget | undefined)[] = [];
  readonly #deadlines: number[] = [];
  /** No reply that is held is due before. */
  #nextDeadlineMs: number = Number.POSITIVE_INFINITY;
  readonly #opcodes: number[] = [];
  readonly #flags: number[] = [];
  readonly #correlations: number[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  constructor(replies: Replies) {
    this.#replies = replies;
  }

  /** Whether nothing more may be held: the caller refuses as overloaded. */
  get full(): boolean {
    return this.#bodies.end > HELD_REPLY_BYTES_MAX;
  }

  /** The buffer in which a held body is made; the offset comes from `begin`. */
  get out(): OutgoingBuffer {
    return this.#bodies;
  }

  /**
   * Holds a reply until `lsn` is durable, or until `deadlineMs` on the monotonic clock: infinity where the asker sees to
   * that itself. Returns the offset in `out` at which its body is to be written at once.
   */
  begin(
    lsn: number,
    deadlineMs: number,
    target: ReplyTarget,
    opcode: number,
    flags: number,
    correlation: number,
    bodyBytes: number,
  ): number {
    const start = this.#bodies.reserve(bodyBytes);
    this.#lsns.push(lsn);
    this.#targets.push(target);
    this.#deadlines.push(deadlineMs);
    if (deadlineMs < this.#nextDeadlineMs) this.#nextDeadlineMs = deadlineMs;
    this.#opcodes.push(opcode);
    this.#flags.push(flags);
    this.#correlations.push(correlation);
    this.#starts.push(start);
    this.#ends.push(start + bodyBytes);
    return start;
  }

  /** The log is durable up to `lsn`. */
  onDurable(lsn: number): void {
    let index = this.#released;
    for (; index < this.#lsns.length && this.#lsns[index] <= lsn; index++) {
      const target = this.#targets[index];
      if (target === undefined) continue;
      if (target.closed) {
        target.inflight--;
        continue;
      }
      const start = this.#starts[index];
      const length = this.#ends[index] - start;
      const at = this.#replies.begin(
        target,
        this.#opcodes[index],
        this.#flags[index],
        this.#correlations[index],
        length,
      );
      copyBytes(target.out.bytes, target.out.view, at, this.#bodies.bytes, this.#bodies.view, start, length);
    }
    this.#released = index;
    if (index === 0) return;
    if (index === this.#lsns.length) this.#forget(index, this.#bodies.end);
    else if (index > FORGET_AFTER && index > this.#lsns.length / 2) this.#forget(index, this.#starts[index]);
  }

  /** Answers what has passed its deadline. */
  expire(nowMs: number): void {
    if (this.#nextDeadlineMs > nowMs) return;
    this.#nextDeadlineMs = Number.POSITIVE_INFINITY;
    for (let index = this.#released; index < this.#lsns.length; index++) {
      const target = this.#targets[index];
      const deadlineMs = this.#deadlines[index];
      if (target === undefined) continue;
      if (deadlineMs > nowMs) this.#nextDeadlineMs = Math.min(this.#nextDeadlineMs, deadlineMs);
      else {
        this.#targets[index] = undefined;
        this.#replies.error(target, this.#opcodes[index], this.#correlations[index], NOT_DURABLE_IN_TIME);
      }
    }
  }

  /** Drops the first `count` entries and the bodies below `bytes`, so that steady load does not grow the lists. */
  #forget(count: number, bytes: number): void {
    this.#released = 0;
    const { length } = this.#lsns;
    const numbers = [this.#deadlines, this.#opcodes, this.#flags, this.#correlations, this.#starts, this.#ends];
    for (const list of [this.#lsns, this.#targets, ...numbers]) {
      list.copyWithin(0, count);
      list.length = length - count;
    }
    const rest = this.#bodies.end - bytes;
    this.#bodies.bytes.copyWithin(0, bytes, this.#bodies.end);
    this.#bodies.clear();
    this.#bodies.reserve(rest);
    for (let index = 0; index < this.#starts.length; index++) {
      this.#starts[index] -= bytes;
      this.#ends[index] -= bytes;
    }
  }
}

const NOT_DURABLE_IN_TIME: ReplyError = {
  code: 'timeout',
  outcome: 'not-applied',
  message: 'the disk of this node did not take what was to be answered before the deadline; try again',
};
