import {
  decodeErrorBody,
  decodeMembers,
  encodeIntroduction,
  Flag,
  FRAME_HEADER_BYTES,
  frameFlags,
  MemDbError,
  Opcode,
} from '@memdb/protocol';
import type { PeerLink } from './peer-link.js';
import type { Member } from './swim/member.js';

/** A member that has not answered is asked again after this time, in milliseconds. */
const ASK_AGAIN_MS = 1500;
/** One that is not ready to answer is asked again after this. */
const RETRY_MS = 300;
/** Members that are asked whom they know: who of them is behind does not matter then. */
const LISTS_WANTED = 3;

export interface IntroductionOptions {
  readonly self: () => Member;
  /** UUIDs of those who vote on the next epoch. */
  readonly voters: () => readonly string[];
  /** What a member that welcomed this node knows of others. */
  readonly onTold: (members: readonly Member[]) => void;
  /** A majority of the voters welcomed this start: it counts. Called once. */
  readonly onAdmitted: () => void;
  /** A member refused this start: the process is to end. */
  readonly onRefused: (error: MemDbError) => void;
}

/**
 * A node that starts asks a majority of the voters whether it is still itself before it answers anything (mechanisms:
 * Epochs, copied directories): the directory may be a copy, or an older state of itself, and what it promised since would
 * be lost. Those that it meets later are asked all the same: one that knows better ends it.
 *
 * Invariant: once admitted, always admitted, until the process ends.
 */
export class Introduction {
  admitted = false;
  readonly #options: IntroductionOptions;
  readonly #welcomedBy: Set<string> = new Set();
  /** When a member that has not welcomed this node may be asked again. */
  readonly #againMs: WeakMap<PeerLink, number> = new WeakMap();
  #lists = 0;

  constructor(options: IntroductionOptions) {
    this.#options = options;
  }

  /** What is missing, for people. */
  get waitingFor(): string {
    const voters = this.#options.voters();
    const missing = majorityOf(voters.length) - this.#votes();
    return `${missing} more of the members that decide (${voters.length}) to confirm that this node is still itself`;
  }

  /** Looks whether the welcomes so far are enough: at first, and when the voters changed. */
  review(): void {
    if (this.admitted || this.#votes() < majorityOf(this.#options.voters().length)) return;
    this.admitted = true;
    this.#options.onAdmitted();
  }

  /** A link is up; or some time has passed. Introduces this node to the member unless that was done. */
  ask(link: PeerLink, nowMs: number): void {
    if (link.peer === undefined || this.#welcomedBy.has(link.peer.identity)) return;
    if (nowMs < (this.#againMs.get(link) ?? 0)) return;
    this.#againMs.set(link, nowMs + ASK_AGAIN_MS);
    const body = encodeIntroduction(this.#options.self(), this.#lists < LISTS_WANTED);
    const at = link.begin(Opcode.introduce, 0, 0, 0, body.length);
    link.out.bytes.set(body, at);
  }

  /** The connection ended: the next one may ask at once. */
  onDown(link: PeerLink): void {
    this.#againMs.delete(link);
  }

  /** The answer of a member. Throws `ProtocolError` when it is malformed. */
  onReply(link: PeerLink, nowMs: number, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const body = start + FRAME_HEADER_BYTES;
    const uuid = link.peer?.identity;
    if (uuid === undefined) return;
    if ((frameFlags(view, start) & Flag.error) !== 0) {
      const { code, message } = decodeErrorBody(bytes, view, body, end);
      if (code === 'duplicate-node') this.#options.onRefused(new MemDbError(code, message));
      else this.#againMs.set(link, nowMs + RETRY_MS);
      return;
    }
    const members = decodeMembers(bytes, view, body, end);
    if (members.length > 0) this.#lists++;
    this.#welcomedBy.add(uuid);
    this.#options.onTold(members);
    this.review();
  }

  #votes(): number {
    const self = this.#options.self().uuid;
    return this.#options.voters().filter((uuid) => uuid === self || this.#welcomedBy.has(uuid)).length;
  }
}

function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}
