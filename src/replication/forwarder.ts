import {
  copyBytes,
  Feature,
  Flag,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameFlags,
  frameOpcode,
  markUnknown,
  Opcode,
  RequestOption,
} from '@memdb/protocol';
import type { PeerLink } from '../membership/peer-link.js';
import type { Turn } from '../ports/turn.js';
import type { Replies, ReplyError, ReplyTarget } from './replies.js';
import { SERIAL_UNKNOWN } from './serial/serial-errors.js';

export interface ForwarderOptions {
  readonly replies: Replies;
  readonly turn: Turn;
  readonly links: readonly (PeerLink | undefined)[];
  readonly reachable: (member: number) => boolean;
}

interface Forwarded {
  target: ReplyTarget | undefined;
  /** Grows with each use of the slot, so that a late reply is told apart. */
  use: number;
  opcode: number;
  correlation: number;
  member: number;
  /** Of the key. */
  hash: number;
  deadlineMs: number;
  owners: Uint16Array | undefined;
  /** The request's body, kept for reads and serial operations: they may be asked of another owner. */
  body: Uint8Array | undefined;
  /** Grows with each request: those that move to another owner keep their order. */
  order: number;
  isSerial: boolean;
  /** It was sent to another owner before: what this one refuses may have been done by that one. */
  isRepeated: boolean;
  /** Goes on with a serial operation here, when nobody else is left. */
  resume: (() => void) | undefined;
}

/** Requests forwarded at once: a slot number is the low half of the correlation id. */
const FORWARDED_MAX = 65_536;
const NONE: readonly number[] = [];

/**
 * Passes requests for keys of which this node holds no replica on to an owner, and the answers back.
 *
 * A plain write that was sent is never sent again: a late first copy could shadow somebody else's newer write
 * (mechanisms: Plain writes and reads, ×). Reads fail over freely.
 *
 * Writes that a connection pipelines to one key keep their order: while one is under way at an owner that does not answer,
 * none that follows it goes to another owner. It is refused, as not applied.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #slots: Forwarded[] = [];
  readonly #free: number[] = [];
  /** Slots of the writes under way, by the hash of their key. */
  readonly #writes: Map<number, number[]> = new Map();
  #order = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  get pending(): number {
    return this.#slots.length - this.#free.length;
  }

  /**
   * Forwards a request whose body is `bytes[bodyStart, end)` and whose key has this hash to the first owner that can be
   * reached. `features` are those without which the request is not understood; with `Feature.serial` it is a serial operation,
   * which goes on at another owner when this one is lost, under its id, or here by `resume`.
   */
  forward(
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    deadlineMs: number,
    owners: Uint16Array,
    hash: number,
    bytes: Uint8Array,
    bodyStart: number,
    end: number,
    features: number,
    resume?: () => void,
  ): void {
    const member = this.#choose(owners, 0);
    const slot = this.#free.pop() ?? this.#newSlot();
    if (member === 0 || slot === -1) {
      if (slot !== -1) this.#free.push(slot);
      this.#options.replies.error(target, opcode, correlation, member === 0 ? NO_OWNER : TOO_MANY);
      return;
    }
    if (this.#options.links[member]?.isUp === true && !hasFeatures(this.#options.links[member], features)) {
      this.#free.push(slot);
      this.#options.replies.error(target, opcode, correlation, OLDER_OWNER);
      return;
    }
    const write = !isRead(opcode);
    // Adds to a counter commute.
    if (write && opcode !== Opcode.counterAdd && this.#isUnderWayElsewhere(target, hash, member)) {
      this.#free.push(slot);
      this.#options.replies.error(target, opcode, correlation, EARLIER_UNANSWERED);
      return;
    }
    const forwarded = this.#slots[slot];
    if (write) this.#noteWrite(slot, hash);
    forwarded.target = target;
    forwarded.hash = hash;
    forwarded.opcode = opcode;
    forwarded.correlation = correlation;
    forwarded.deadlineMs = deadlineMs;
    forwarded.owners = owners;
    forwarded.isSerial = (features & Feature.serial) !== 0;
    forwarded.body = write && !forwarded.isSerial ? undefined : bytes.slice(bodyStart, end);
    forwarded.isRepeated = false;
    forwarded.order = ++this.#order;
    forwarded.resume = resume;
    this.#send(slot, forwarded, member, bytes, bodyStart, end - bodyStart);
  }

  /** A reply of an owner to a forwarded request. */
  onReply(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const correlation = frameCorrelation(view, start);
    const forwarded = this.#slots[correlation & 0xffff];
    if (forwarded?.target === undefined || forwarded.use !== correlation >>> 16) return;
    if (frameOpcode(view, start) !== forwarded.opcode) return;
    const { target } = forwarded;
    const bodyBytes = end - start - FRAME_HEADER_BYTES;
    const flags = frameFlags(view, start) & (Flag.absent | Flag.error);
    this.#settle(correlation & 0xffff, forwarded);
    if (target.closed) {
      target.inflight--;
      return;
    }
    const at = this.#options.replies.begin(target, forwarded.opcode, flags, forwarded.correlation, bodyBytes);
    const { out } = target;
    copyBytes(out.bytes, out.view, at, bytes, view, start + FRAME_HEADER_BYTES, bodyBytes);
    if (forwarded.isRepeated && (flags & Flag.error) !== 0) markUnknown(out.view, at);
  }

  /** The link to a member went down: reads go to another owner, writes have an unknown outcome. */
  onLost(member: number): void {
    const lost = [...this.#slots.entries()].filter(
      ([, { target, member: at }]) => target !== undefined && at === member,
    );
    for (const [slot, forwarded] of lost.sort(([, a], [, b]) => a.order - b.order)) {
      const { body, resume, isSerial } = forwarded;
      const next = forwarded.owners === undefined ? 0 : this.#choose(forwarded.owners, member);
      if (resume !== undefined) {
        this.#settle(slot, forwarded);
        resume();
      } else if (body !== undefined && next !== 0) {
        if (isSerial && !isRead(forwarded.opcode)) {
          body[1] |= RequestOption.repeated;
          forwarded.isRepeated = true;
        }
        this.#send(slot, forwarded, next, body, 0, body.length);
      } else this.#fail(slot, forwarded, isRead(forwarded.opcode) ? LOST_READ : isSerial ? SERIAL_UNKNOWN : LOST_WRITE);
    }
  }

  sweep(nowMs: number): void {
    for (const [slot, forwarded] of this.#slots.entries()) {
      if (forwarded.target === undefined || forwarded.deadlineMs > nowMs) continue;
      const write = forwarded.isSerial ? SERIAL_UNKNOWN : TIMEOUT_WRITE;
      this.#fail(slot, forwarded, isRead(forwarded.opcode) ? TIMEOUT_READ : write);
    }
  }

  #newSlot(): number {
    if (this.#slots.length === FORWARDED_MAX) return -1;
    this.#slots.push({
      target: undefined,
      use: 0,
      opcode: 0,
      correlation: 0,
      member: 0,
      hash: 0,
      deadlineMs: 0,
      owners: undefined,
      body: undefined,
      order: 0,
      isSerial: false,
      isRepeated: false,
      resume: undefined,
    });
    return this.#slots.length - 1;
  }

  /** Whether an earlier write of the same connection to this key has not been answered by the member that has it. */
  isUnderWay(target: ReplyTarget, hash: number): boolean {
    return this.#isUnderWayElsewhere(target, hash, 0);
  }

  /** Whether an earlier write of the same connection to this key has not been answered by another member. */
  #isUnderWayElsewhere(target: ReplyTarget, hash: number, member: number): boolean {
    for (const slot of this.#writes.get(hash) ?? NONE) {
      const earlier = this.#slots[slot];
      if (earlier.member !== member && earlier.target?.session === target.session) return true;
    }
    return false;
  }

  #noteWrite(slot: number, hash: number): void {
    const slots = this.#writes.get(hash);
    if (slots === undefined) this.#writes.set(hash, [slot]);
    else slots.push(slot);
  }

  #forgetWrite(slot: number, hash: number): void {
    const slots = this.#writes.get(hash);
    const index = slots?.indexOf(slot) ?? -1;
    if (slots === undefined || index === -1) return;
    if (slots.length === 1) this.#writes.delete(hash);
    else slots.splice(index, 1);
  }

  #choose(owners: Uint16Array, except: number): number {
    for (const member of owners) if (member !== except && this.#options.reachable(member)) return member;
    return 0;
  }

  #send(slot: number, forwarded: Forwarded, member: number, bytes: Uint8Array, start: number, length: number): void {
    const link = this.#options.links[member];
    if (link?.isUp !== true) {
      this.#fail(slot, forwarded, forwarded.isRepeated ? SERIAL_UNKNOWN : NO_OWNER);
      return;
    }
    forwarded.use = (forwarded.use + 1) & 0xffff;
    forwarded.member = member;
    const remainingMs = Math.max(1, Math.ceil(forwarded.deadlineMs - this.#options.turn.nowMs));
    const correlation = ((forwarded.use << 16) | slot) >>> 0;
    const at = link.begin(forwarded.opcode, Flag.forwarded, correlation, remainingMs, length);
    link.out.bytes.set(bytes.subarray(start, start + length), at);
  }

  #fail(slot: number, forwarded: Forwarded, error: ReplyError): void {
    const { target, opcode, correlation } = forwarded;
    this.#settle(slot, forwarded);
    if (target !== undefined) this.#options.replies.error(target, opcode, correlation, error);
  }

  #settle(slot: number, forwarded: Forwarded): void {
    if (!isRead(forwarded.opcode)) this.#forgetWrite(slot, forwarded.hash);
    forwarded.target = undefined;
    forwarded.owners = undefined;
    forwarded.body = undefined;
    forwarded.resume = undefined;
    this.#free.push(slot);
  }
}

/** Whether the node at the other end of a link understands what needs these features. */
export function hasFeatures(link: PeerLink | undefined, features: number): boolean {
  return link !== undefined && (link.features & features) === features;
}

function isRead(opcode: number): boolean {
  switch (opcode) {
    case Opcode.get:
    case Opcode.contains:
    case Opcode.quorumGet:
    case Opcode.counterGet:
    case Opcode.resolve:
      return true;
    default:
      return false;
  }
}

/** Refusal of what an owner, running an older version, would not understand. */
export const OLDER_OWNER: ReplyError = {
  code: 'not-supported',
  outcome: 'not-applied',
  message: 'a replica of this key runs a version that does not know this request; upgrade every node first',
};
const NO_OWNER: ReplyError = {
  code: 'unavailable',
  outcome: 'not-applied',
  message: 'no replica of this key can be reached from this node; start one, or ask another node',
};
const TOO_MANY: ReplyError = {
  code: 'overloaded',
  outcome: 'not-applied',
  message: 'too many requests are being forwarded by this node; try again in a moment',
};
/** Refusal of a write that would overtake an earlier one of its connection. */
export const EARLIER_UNANSWERED: ReplyError = {
  code: 'unavailable',
  outcome: 'not-applied',
  message:
    'an earlier write to this key on this connection waits for a replica that does not answer; try again once it has ended, or ask a replica of the key',
};
const LOST_READ: ReplyError = {
  code: 'unavailable',
  outcome: 'not-applied',
  message: 'the connection to the replica was lost and no other can be reached; try again',
};
const LOST_WRITE: ReplyError = {
  code: 'connection-lost',
  outcome: 'unknown',
  message:
    'the connection to the coordinating replica was lost; the write may have been applied: read the key to find out',
};
const TIMEOUT_READ: ReplyError = {
  code: 'timeout',
  outcome: 'not-applied',
  message: 'the replica that was asked did not answer before the deadline; try again',
};
const TIMEOUT_WRITE: ReplyError = {
  code: 'timeout',
  outcome: 'unknown',
  message: 'the coordinating replica did not answer before the deadline; the write may have been applied',
};
