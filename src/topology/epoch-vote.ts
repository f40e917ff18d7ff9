import {
  BodyReader,
  compareBallots,
  decodeTopology,
  type EpochAccepted,
  type EpochAnswer,
  type EpochProposal,
  NO_BALLOT,
  type WireTopology,
  writeBallot,
} from '@memdb/protocol';
import { type AcceptorState, accept, FRESH_ACCEPTOR, prepare } from '../consensus/acceptor.js';
import { RecordKind, recordBytes } from '../model/record.js';
import { sameBytes } from '../storage/same-bytes.js';
import type { Store } from '../storage/store.js';
import { viewOf } from '../storage/view-of.js';

const META = 'epoch-vote';
/** u32 epoch, ballot promised, ballot accepted (none: zeros), value. */
const HEADER_BYTES: number = 4 + 16 + 16;

/** Told what a voter says once that is durable; never while its log has no room for it. */
export type OnVote = (answer: EpochAnswer, accepted: EpochAccepted | undefined) => void;

/**
 * This node's vote on the epoch after its own: one acceptor, whose state is in the log before anybody hears of it.
 *
 * Invariants: promises do not fall, over restarts either; one value per ballot.
 */
export class EpochVote {
  readonly #store: Store;
  /** The epoch that is being decided, and what this node promised and accepted in that. */
  #epoch = 0;
  #state: AcceptorState<Uint8Array> = FRESH_ACCEPTOR;

  constructor(store: Store) {
    this.#store = store;
    const kept = store.meta(META);
    if (kept !== undefined) this.#read(kept);
  }

  /** A proposer asks this node to promise. `current` is the epoch in force here, of which this node is a voter. */
  onPrepare(current: WireTopology, { epoch, ballot }: EpochProposal, done: OnVote): void {
    this.#turnTo(current, epoch);
    const promised = prepare(this.#state, ballot);
    if (promised === undefined) {
      done({ isRefused: true, promised: this.#state.promised }, undefined);
      return;
    }
    this.#keep(promised, () => done({ isRefused: false, promised: ballot }, promised.accepted));
  }

  /** A proposer asks this node to accept. Throws `ProtocolError` when the value is no epoch that may follow. */
  onAccept(current: WireTopology, { epoch, ballot }: EpochProposal, value: Uint8Array, done: OnVote): void {
    const topology = decodeTopology(value, viewOf(value), 0, value.length);
    if (topology.epoch !== epoch || !sameBytesOf(topology.clusterId, current.clusterId)) {
      throw new Error(`epoch ${topology.epoch} of another cluster was proposed as epoch ${epoch}`);
    }
    this.#turnTo(current, epoch);
    const { accepted } = this.#state;
    const isSameBallot = accepted !== undefined && compareBallots(accepted.ballot, ballot) === 0;
    if (isSameBallot && !sameBytesOf(accepted.value, value)) throw new Error('one ballot proposes two epochs');
    const next = accept(this.#state, ballot, value);
    if (next === undefined) {
      done({ isRefused: true, promised: this.#state.promised }, undefined);
      return;
    }
    this.#keep(next, () => done({ isRefused: false, promised: ballot }, undefined));
  }

  #turnTo(current: WireTopology, epoch: number): void {
    if (epoch !== current.epoch + 1) throw new Error(`epoch ${epoch} is voted on in epoch ${current.epoch}`);
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#state = FRESH_ACCEPTOR;
  }

  #keep(state: AcceptorState<Uint8Array>, done: () => void): void {
    if (compareBallots(state.promised, this.#state.promised) < 0) throw new Error('a promise falls');
    const value = state.accepted?.value ?? new Uint8Array(0);
    if (this.#store.room(recordBytes(META.length, HEADER_BYTES + value.length), RecordKind.tombstone) !== 'ok') return;
    this.#state = state;
    const bytes = new Uint8Array(HEADER_BYTES + value.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.#epoch, true);
    writeBallot(view, 4, state.promised);
    writeBallot(view, 20, state.accepted?.ballot ?? NO_BALLOT);
    bytes.set(value, HEADER_BYTES);
    this.#store.putMeta(META, bytes);
    this.#store.syncNow(done);
  }

  #read(bytes: Uint8Array): void {
    const reader = new BodyReader('epoch vote', bytes, viewOf(bytes), 0, bytes.length);
    this.#epoch = reader.u32('epoch');
    const promised = reader.ballot();
    const ballot = reader.ballot();
    const value = reader.bytes(bytes.length - HEADER_BYTES, 'value');
    this.#state = { promised, accepted: ballot.counter === 0 ? undefined : { ballot, value } };
  }
}

function sameBytesOf(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && sameBytes(viewOf(a), 0, viewOf(b), 0, a.length);
}
