import {
  Flag,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameEpoch,
  frameFlags,
  frameOpcode,
  Opcode,
} from '@memdb/protocol';
import type { PeerLink } from '../../membership/peer-link.js';
import { AUDIT_ANSWER_MS } from '../../model/limits.js';

/** The body of an answer: `bytes[start, end)`. Valid within the call. */
export interface PeerAnswer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
}

/** Undefined: refused, too late, or from another epoch. A ProtocolError that it throws ends the connection. */
export type OnPeerAnswer = (answer: PeerAnswer | undefined) => void;

interface Ask {
  readonly member: number;
  readonly done: OnPeerAnswer;
  readonly dueMs: number;
}

/** Low half of the correlation id of repairs: no read has such a slot (`replication/read-slots.ts`). */
const REPAIR_SLOT = 0xffff;

/**
 * Questions to other nodes about partitions that move, each answered or given up exactly once, unless the epoch changes
 * before: then all of them are forgotten, and whoever asked begins again.
 *
 * Invariant: an answer counts only when it was given in the epoch in which it was asked for (mechanisms: Epochs, ×).
 */
export class PeerAsks {
  readonly #links: readonly (PeerLink | undefined)[];
  readonly #epoch: () => number;
  /** By member, opcode and correlation id. */
  readonly #asks: Map<string, Ask> = new Map();
  #repairs = 0;

  constructor(links: readonly (PeerLink | undefined)[], epoch: () => number) {
    this.#links = links;
    this.#epoch = epoch;
  }

  /** False when the member cannot be asked now: `done` is not called then. */
  ask(member: number, opcode: number, body: Uint8Array, nowMs: number, done: OnPeerAnswer): boolean {
    const link = this.#links[member];
    if (link?.isUp !== true) return false;
    const correlation =
      opcode === Opcode.repair ? ((this.#repairs++ << 16) | REPAIR_SLOT) >>> 0 : link.nextCorrelation();
    const at = link.begin(opcode, 0, correlation, 0, body.length);
    link.out.bytes.set(body, at);
    this.#asks.set(nameOf(member, opcode, correlation), { member, done, dueMs: nowMs + AUDIT_ANSWER_MS });
    return true;
  }

  /** A reply on a peer link. True when it was asked for here. Called for every reply: hot until its opcode is seen. */
  onReply(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    const opcode = frameOpcode(view, start);
    if (opcode < Opcode.repair || this.#asks.size === 0) return false;
    const name = nameOf(link.number, opcode, frameCorrelation(view, start));
    const ask = this.#asks.get(name);
    if (ask === undefined) return false;
    this.#asks.delete(name);
    const counts = frameEpoch(view, start) === this.#epoch() && (frameFlags(view, start) & Flag.error) === 0;
    try {
      ask.done(counts ? { bytes, view, start: start + FRAME_HEADER_BYTES, end } : undefined);
    } catch (error) {
      ask.done(undefined);
      throw error;
    }
    return true;
  }

  onDown(member: number): void {
    this.#giveUp((ask) => ask.member === member);
  }

  /** Gives up what nobody answered. */
  expire(nowMs: number): void {
    this.#giveUp((ask) => ask.dueMs <= nowMs);
  }

  /** Another epoch is in force, or the node stops. */
  forget(): void {
    this.#asks.clear();
  }

  #giveUp(applies: (ask: Ask) => boolean): void {
    for (const [name, ask] of [...this.#asks]) {
      if (applies(ask) && this.#asks.delete(name)) ask.done(undefined);
    }
  }
}

function nameOf(member: number, opcode: number, correlation: number): string {
  return `${member} ${opcode} ${correlation}`;
}
