import {
  decodeEpochAccept,
  decodeEpochAcceptance,
  decodeEpochPrepare,
  decodeEpochPromise,
  decodeTopology,
  type EpochAccepted,
  type EpochAnswer,
  encodeEpochAccept,
  encodeEpochAcceptance,
  encodeEpochPrepare,
  encodeEpochPromise,
  encodeTopology,
  Flag,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameFlags,
  frameOpcode,
  Opcode,
  ProtocolError,
  type WireTopology,
} from '@memdb/protocol';
import type { Answer } from '../membership/answer.js';
import type { PeerLink } from '../membership/peer-link.js';
import { RecordKind, recordBytes } from '../model/record.js';
import type { Random } from '../ports/random.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Timers } from '../ports/timers.js';
import type { Turn } from '../ports/turn.js';
import type { Store } from '../storage/store.js';
import { viewOf } from '../storage/view-of.js';
import { EpochProposer } from './epoch-proposer.js';
import { votersOf } from './epoch-roles.js';
import { EpochVote } from './epoch-vote.js';

/** Name of the meta record that holds the epoch in force. */
export const EPOCH_META = 'epoch';

/** A peer is told of an epoch, and asked for one, at most this often: frames that show an old one come by thousands. */
const TELL_AGAIN_MS = 200;

export interface EpochsOptions {
  readonly self: number;
  /** Restart count of this node. */
  readonly generation: number;
  readonly store: Store;
  readonly timers: Timers;
  readonly random: Random;
  readonly turn: Turn;
  readonly telemetry: Telemetry;
  /** In force when the node starts; durable. */
  readonly first: WireTopology;
  /** By member number. */
  readonly links: readonly (PeerLink | undefined)[];
  /** Whether the node may enter an epoch now; if not, `onPrepared` is called when it may. */
  readonly isPrepared: (topology: WireTopology, onPrepared: () => void) => boolean;
  /** What is to stand in the log before an epoch does, in the turn in which it is logged: the log's end then is `lsn`. */
  readonly onLogging: (topology: WireTopology, lsn: number) => void;
  /** An epoch is in force from now on; it is durable. */
  readonly onEpoch: (topology: WireTopology) => void;
}

/** Members up to which each one that enters an epoch tells all others. */
const TELL_ALL_MAX = 32;

interface Told {
  readonly epoch: number;
  readonly atMs: number;
}

/**
 * The epoch that this node is in, how it learns of the next one, and its part in deciding it (mechanisms: Epochs).
 *
 * Invariants: an epoch is in the log before it is used; epochs only rise; one epoch never has two values. What is heard of
 * an epoch is never more than its number: its value comes from the log of whoever knows it.
 */
export class Epochs {
  readonly #options: EpochsOptions;
  readonly #vote: EpochVote;
  readonly #proposer: EpochProposer;
  readonly #entered: Counter;
  #current: WireTopology;
  #encoded: Uint8Array;
  /** The epoch that this node saw decided as its proposer. */
  #decided = 0;
  /** By member: what it was told, and when it was asked last. */
  readonly #told: Map<number, Told> = new Map();
  readonly #askedMs: Map<number, number> = new Map();

  constructor(options: EpochsOptions) {
    this.#options = options;
    this.#current = options.first;
    this.#encoded = encodeTopology(options.first);
    this.#vote = new EpochVote(options.store);
    this.#entered = options.telemetry.counter('epochs_entered_total', 'Epochs that came into force on this node.');
    this.#proposer = new EpochProposer({
      ...options,
      sendPrepare: (voter, attempt, epoch, ballot) => {
        const proposal = { epoch, ballot };
        if (voter !== options.self) this.#send(voter, Opcode.epochPrepare, attempt, encodeEpochPrepare(proposal));
        else if (epoch === this.#current.epoch + 1) {
          this.#vote.onPrepare(this.#current, proposal, (answer, accepted) =>
            this.#proposer.onPromise(voter, attempt, answer, accepted),
          );
        }
      },
      sendAccept: (voter, attempt, epoch, ballot, value) => {
        const proposal = { epoch, ballot };
        if (voter !== options.self) this.#send(voter, Opcode.epochAccept, attempt, encodeEpochAccept(proposal, value));
        else if (epoch === this.#current.epoch + 1) {
          this.#vote.onAccept(this.#current, proposal, value, (answer) =>
            this.#proposer.onAcceptance(voter, attempt, answer),
          );
        }
      },
      onDecided: (encoded) => {
        this.#decided = this.#current.epoch + 1;
        this.learn(encoded);
      },
    });
  }

  get current(): WireTopology {
    return this.#current;
  }

  /** The epoch that this node is proposing; 0 while it is not. */
  get proposing(): number {
    return this.#proposer.proposing;
  }

  /** Whether this node votes on the next epoch. */
  get isVoter(): boolean {
    return votersOf(this.#current).includes(this.#options.self);
  }

  /** Proposes what is to follow the epoch in force; somebody else's value may be decided instead. */
  propose(next: WireTopology): void {
    this.#proposer.propose(this.#current, next);
  }

  stop(): void {
    this.#proposer.stop();
  }

  /**
   * Somebody shows an epoch that was decided. It is logged, and in force once that is durable. Throws when it contradicts
   * the one in force: then two values were decided, and nothing may go on.
   */
  learn(encoded: Uint8Array): void {
    const { store, isPrepared, onLogging, telemetry } = this.#options;
    const topology = decodeTopology(encoded, viewOf(encoded), 0, encoded.length);
    if (topology.epoch < this.#current.epoch) return;
    if (topology.epoch === this.#current.epoch) {
      if (!Buffer.from(encoded).equals(this.#encoded)) throw new Error(`epoch ${topology.epoch} has two values`);
      return;
    }
    if (!Buffer.from(topology.clusterId).equals(this.#current.clusterId)) {
      telemetry.log('error', 'epoch-of-another-cluster', { epoch: topology.epoch });
      return;
    }
    if (!isPrepared(topology, () => this.learn(encoded))) return;
    // Without room for it, it is learned again from the next frame that shows it.
    const bytes = recordBytes(EPOCH_META.length, encoded.length) * 2;
    if (store.room(bytes, RecordKind.tombstone) !== 'ok') return;
    onLogging(topology, store.lastLsn);
    store.putMeta(EPOCH_META, encoded);
    store.syncNow(() => this.#enter(topology, encoded));
  }

  /** A frame of a member shows the epoch that it is in. */
  onShown(member: number, epoch: number): void {
    if (epoch > this.#current.epoch) this.#ask(member);
    else if (epoch < this.#current.epoch) this.#tell(member, false);
  }

  /** A link came up. */
  onUp(link: PeerLink): void {
    this.#told.delete(link.number);
    this.#askedMs.delete(link.number);
  }

  /** epochPrepare, epochAccept or announceEpoch of a peer. Throws `ProtocolError` when it is malformed. */
  onRequest(
    answer: Answer,
    opcode: number,
    correlation: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void {
    if (opcode === Opcode.announceEpoch) {
      this.learn(bytes.slice(start, end));
      answer.body(opcode, correlation, new Uint8Array(0));
      return;
    }
    const accept = opcode === Opcode.epochAccept ? decodeEpochAccept(bytes, view, start, end) : undefined;
    const proposal = accept ?? decodeEpochPrepare(bytes, view, start, end);
    this.#proposer.observe(proposal.ballot);
    if (proposal.epoch !== this.#current.epoch + 1 || !this.isVoter) {
      answer.refuse(opcode, correlation, 'wrong-epoch', `epoch ${proposal.epoch} is not voted on here`);
    } else if (accept === undefined) {
      this.#vote.onPrepare(this.#current, proposal, (vote, accepted) =>
        answer.body(opcode, correlation, encodeEpochPromise(vote, accepted)),
      );
    } else {
      if (!this.#mayFollow(accept.value)) {
        throw new ProtocolError('bad-request', start, `the value that is proposed for epoch ${accept.epoch} is none`);
      }
      this.#vote.onAccept(this.#current, accept, accept.value, (vote) =>
        answer.body(opcode, correlation, encodeEpochAcceptance(vote)),
      );
    }
  }

  /** A reply on a peer link. True when it belonged to epochs. Throws `ProtocolError` when it is malformed. */
  onReply(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    const opcode = frameOpcode(view, start);
    const isError = (frameFlags(view, start) & Flag.error) !== 0;
    const body = start + FRAME_HEADER_BYTES;
    switch (opcode) {
      case Opcode.epochPrepare:
        if (!isError) this.#onPromise(link, frameCorrelation(view, start), decodeEpochPromise(bytes, view, body, end));
        return true;
      case Opcode.epochAccept: {
        if (isError) return true;
        const answer = decodeEpochAcceptance(bytes, view, body, end);
        this.#proposer.onAcceptance(link.number, frameCorrelation(view, start), answer);
        return true;
      }
      case Opcode.topology:
        if (!isError) this.learn(bytes.slice(body, end));
        return true;
      case Opcode.announceEpoch:
        return true;
      default:
        return false;
    }
  }

  #onPromise(
    link: PeerLink,
    attempt: number,
    promise: EpochAnswer & { readonly accepted: EpochAccepted | undefined },
  ): void {
    if (promise.accepted !== undefined && !this.#mayFollow(promise.accepted.value)) {
      throw new ProtocolError('bad-request', 0, 'the value that was accepted for the next epoch is none');
    }
    this.#proposer.onPromise(link.number, attempt, promise, promise.accepted);
  }

  /** Whether a value may be the next epoch of this cluster: looked at on the proposer and on the acceptor. */
  #mayFollow(value: Uint8Array): boolean {
    const { epoch, clusterId } = decodeTopology(value, viewOf(value), 0, value.length);
    return epoch === this.#current.epoch + 1 && Buffer.from(clusterId).equals(this.#current.clusterId);
  }

  #enter(topology: WireTopology, encoded: Uint8Array): void {
    if (topology.epoch <= this.#current.epoch) return;
    this.#current = topology;
    this.#encoded = encoded;
    this.#entered.value++;
    this.#proposer.onEpoch(topology.epoch);
    this.#options.onEpoch(topology);
    // Everybody tells everybody at once where that costs little: n² times 2 KB. In a large cluster (100 KB) who decided it
    // does, and who is missed learns of its number by gossip, and asks.
    if (topology.nodes.length <= TELL_ALL_MAX || this.#decided === topology.epoch) {
      for (const link of this.#options.links) if (link !== undefined) this.#tell(link.number, true);
    }
    this.#options.turn.wake();
  }

  /** Sends a member the epoch in force, unless it was just told. */
  #tell(member: number, isNew: boolean): void {
    const { turn } = this.#options;
    const told = this.#told.get(member);
    const epoch = this.#current.epoch;
    if (!isNew && told?.epoch === epoch && turn.nowMs - told.atMs < TELL_AGAIN_MS) return;
    this.#told.set(member, { epoch, atMs: turn.nowMs });
    this.#send(member, Opcode.announceEpoch, 0, this.#encoded);
  }

  /** Asks a member for the epoch that it is in. */
  #ask(member: number): void {
    const { turn, links } = this.#options;
    const { nowMs } = turn;
    if (nowMs - (this.#askedMs.get(member) ?? Number.NEGATIVE_INFINITY) < TELL_AGAIN_MS) return;
    this.#askedMs.set(member, nowMs);
    if (links[member]?.isUp === true) this.#send(member, Opcode.topology, 0, new Uint8Array(0));
    else {
      // It may be a member that this node does not know yet: whoever else is ahead knows it too.
      for (const link of links) if (link?.isUp === true) this.#send(link.number, Opcode.topology, 0, new Uint8Array(0));
    }
  }

  #send(member: number, opcode: number, correlation: number, body: Uint8Array): void {
    const link = this.#options.links[member];
    if (link?.isUp !== true) return;
    const at = link.begin(opcode, 0, correlation, 0, body.length);
    link.out.bytes.set(body, at);
  }
}
