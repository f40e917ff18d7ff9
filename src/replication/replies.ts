import type { ErrorCodeName, Outcome, OutgoingBuffer, QuorumGetReply } from '@memdb/protocol';
import {
  copyBytes,
  encodeErrorBody,
  Flag,
  FRAME_HEADER_BYTES,
  STAMP_BYTES,
  writeFrameHeader,
  writeQuorumGetReply,
  writeStamp,
} from '@memdb/protocol';
import type { LamportClock } from '../model/lamport-clock.js';
import type { Turn } from '../ports/turn.js';

/** Where replies go: a connection, or a batch that collects the replies of its items. */
export interface ReplyTarget {
  readonly out: OutgoingBuffer;
  /** Requests accepted and not answered yet. */
  inflight: number;
  /** Nobody reads the replies any more; they are dropped. */
  closed: boolean;
  /** Already listed to be flushed at the end of this turn. */
  dirty: boolean;
  /** So much output waits that no further value may be added to it. */
  readonly saturated: boolean;
  /** What the requests came through: writes of one connection to one key keep their order. */
  readonly session: object;
  /** End of turn: sends what stands in `out`. */
  flush(): void;
}

/** What an error reply says; `message` tells a person what to do. */
export interface ReplyError {
  readonly code: ErrorCodeName;
  readonly outcome: Outcome;
  readonly message: string;
}

/** Writes reply frames. Every accepted request is answered through here exactly once. */
export class Replies {
  readonly #lamport: LamportClock;
  readonly #epoch: () => number;
  readonly #turn: Turn;
  readonly #nodeNumber: () => number;
  readonly #dirty: ReplyTarget[] = [];

  constructor(lamport: LamportClock, turn: Turn, epoch: () => number, nodeNumber: () => number) {
    this.#lamport = lamport;
    this.#turn = turn;
    this.#epoch = epoch;
    this.#nodeNumber = nodeNumber;
  }

  /** Begins a reply and returns the offset of its body in `target.out`, to be filled at once. Hot. */
  begin(target: ReplyTarget, opcode: number, flags: number, correlation: number, bodyBytes: number): number {
    const { out } = target;
    const offset = out.reserve(FRAME_HEADER_BYTES + bodyBytes);
    const counter = this.#lamport.current;
    writeFrameHeader(out.view, offset, bodyBytes, opcode, flags | Flag.reply, correlation, 0, counter, this.#epoch());
    this.#answered(target);
    return offset + FRAME_HEADER_BYTES;
  }

  /** A reply whose body is one stamp. */
  stamp(target: ReplyTarget, opcode: number, flags: number, correlation: number, counter: number, node: number): void {
    if (target.closed) {
      target.inflight--;
      return;
    }
    const at = this.begin(target, opcode, flags, correlation, STAMP_BYTES);
    writeStamp(target.out.view, at, counter, node);
  }

  /** A reply of a stamp and `bytes[start, start + length)`. */
  value(
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    counter: number,
    node: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    length: number,
  ): void {
    if (target.closed) {
      target.inflight--;
      return;
    }
    if (target.saturated) {
      this.error(target, opcode, correlation, TARGET_SATURATED);
      return;
    }
    const at = this.begin(target, opcode, 0, correlation, STAMP_BYTES + length);
    writeStamp(target.out.view, at, counter, node);
    copyBytes(target.out.bytes, target.out.view, at + STAMP_BYTES, bytes, view, start, length);
  }

  error(target: ReplyTarget, opcode: number, correlation: number, error: ReplyError): void {
    if (target.closed) {
      target.inflight--;
      return;
    }
    const body = encodeErrorBody({ ...error, node: this.#nodeNumber() });
    const at = this.begin(target, opcode, Flag.error, correlation, body.length);
    target.out.bytes.set(body, at);
  }

  /** Copies a whole reply body that was made elsewhere. */
  body(target: ReplyTarget, opcode: number, flags: number, correlation: number, bytes: Uint8Array): void {
    if (target.closed) {
      target.inflight--;
      return;
    }
    const at = this.begin(target, opcode, flags, correlation, bytes.length);
    target.out.bytes.set(bytes, at);
  }

  /** The reply to a quorumGet, with each replica's answer. */
  quorumGet(target: ReplyTarget, correlation: number, reply: QuorumGetReply): void {
    if (target.closed) {
      target.inflight--;
      return;
    }
    writeQuorumGetReply(target.out, correlation, this.#lamport.current, this.#epoch(), reply);
    this.#answered(target);
  }

  #answered(target: ReplyTarget): void {
    target.inflight--;
    if (target.dirty) return;
    target.dirty = true;
    this.#dirty.push(target);
    this.#turn.wake();
  }

  /** Last stage of a turn: sends what became ready. */
  flush(): void {
    // A flush may answer a batch, whose reply makes its own connection dirty: hence a loop over a growing list.
    const dirty = this.#dirty;
    for (let index = 0; index < dirty.length; index++) {
      dirty[index].dirty = false;
      dirty[index].flush();
    }
    dirty.length = 0;
  }
}

/** Refusal of a read whose connection does not take the replies that it has already. */
export const TARGET_SATURATED: ReplyError = {
  code: 'overloaded',
  outcome: 'not-applied',
  message: 'this connection does not read its replies as fast as it asks; read them, or have fewer requests in flight',
};

/** A replica that lost keys of a partition does not say which keys there are. */
export const PARTITION_LOST: ReplyError = {
  code: 'unavailable',
  outcome: 'not-applied',
  message:
    'a replica lost a damaged record and does not know which keys it lacks until it has compared itself with all other owners; too few others answer for it: try again in a moment',
};

/** Refusal of a replica that lost the newest version of a key to damage and does not know what became of it. */
export const KEY_LOST: ReplyError = {
  code: 'unavailable',
  outcome: 'not-applied',
  message: 'this replica found its copy of the key damaged and is fetching it from the others; try again in a moment',
};
