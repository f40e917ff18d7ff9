import { copyBytes, OutgoingBuffer } from '@memdb/protocol';
import { HELD_REPLY_BYTES_MAX } from '../model/limits.js';
import type { Replies, ReplyTarget } from './replies.js';

/** Entries released before the lists are shortened: amortises the move. */
const FORGET_AFTER = 1024;

/**
 * Replies that speak of records which are not durable yet. "No reply of any kind speaks of a record that is not yet
 * durable" (semantics: Durability): the body is made at once, and held until the log is durable up to where it stood.
 *
 * Held LSNs only grow, so release is a walk from the oldest.
 */
export class HeldReplies {
  readonly #replies: Replies;
  #bodies = new OutgoingBuffer();
  #released = 0;
  readonly #lsns: number[] = [];
  readonly #targets: ReplyTarget[] = [];
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

  /** Holds a reply until `lsn` is durable; returns the offset in `out` at which its body is to be written at once. */
  begin(
    lsn: number,
    target: ReplyTarget,
    opcode: number,
    flags: number,
    correlation: number,
    bodyBytes: number,
  ): number {
    const start = this.#bodies.reserve(bodyBytes);
    this.#lsns.push(lsn);
    this.#targets.push(target);
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

  /** Drops the first `count` entries and the bodies below `bytes`, so that steady load does not grow the lists. */
  #forget(count: number, bytes: number): void {
    this.#released = 0;
    for (const list of [this.#lsns, this.#opcodes, this.#flags, this.#correlations, this.#starts, this.#ends]) {
      list.copyWithin(0, count);
      list.length -= count;
    }
    this.#targets.copyWithin(0, count);
    this.#targets.length -= count;
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
