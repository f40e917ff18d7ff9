import {
  type Ballot,
  decodeTopology,
  type EpochAccepted,
  type EpochAnswer,
  encodeTopology,
  type WireTopology,
} from '@memdb/protocol';
import { beginRound, onAccepted, onPromise, onRefused, propose, type Round } from '../consensus/round.js';
import type { Random } from '../ports/random.js';
import type { Timer, Timers } from '../ports/timers.js';
import { viewOf } from '../storage/view-of.js';
import { votersOf } from './epoch-roles.js';

/** An attempt that has not come to an end by then is given up for another one. */
const ATTEMPT_MS = 1500;
/** Pause before another attempt, drawn from 50 to 100 % of this times the attempts so far: two proposers part by it. */
const PAUSE_MS = 100;
const PAUSES_MAX = 8;

export interface EpochProposerOptions {
  readonly self: number;
  /** Restart count: no ballot of an earlier run is used again. */
  readonly generation: number;
  readonly timers: Timers;
  readonly random: Random;
  /** Sends to a voter, this node included; answers come to `onPromise` and `onAcceptance` with this attempt's number. */
  readonly sendPrepare: (voter: number, attempt: number, epoch: number, ballot: Ballot) => void;
  readonly sendAccept: (voter: number, attempt: number, epoch: number, ballot: Ballot, value: Uint8Array) => void;
  /** An epoch was decided, the own or another. */
  readonly onDecided: (encoded: Uint8Array) => void;
}

type ProposerState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'trying'; readonly wanted: Wanted; readonly round: Round<Uint8Array>; readonly timer: Timer }
  | { readonly kind: 'pausing'; readonly wanted: Wanted; readonly timer: Timer };

interface Wanted {
  readonly epoch: number;
  readonly encoded: Uint8Array;
  readonly voters: readonly number[];
}

/**
 * Proposes the epoch that follows the one in force, and goes on until some value is decided for it. The rounds are the
 * core's (`consensus/round.ts`); here are voters, timers and ballots.
 *
 * Invariant: a ballot is used for one attempt only: its counter grows within a run, and the run has its own count.
 */
export class EpochProposer {
  readonly #options: EpochProposerOptions;
  #state: ProposerState = { kind: 'idle' };
  /** The highest ballot counter used or heard of. */
  #counter = 0;
  /** Numbers the attempts of this run: answers to earlier ones are told apart. */
  #attempt = 0;
  #tries = 0;

  constructor(options: EpochProposerOptions) {
    this.#options = options;
  }

  /** The epoch that is being proposed; 0 while none is. */
  get proposing(): number {
    return this.#state.kind === 'idle' ? 0 : this.#state.wanted.epoch;
  }

  /** Proposes `next` as what follows `current`. Does nothing while something is proposed. */
  propose(current: WireTopology, next: WireTopology): void {
    if (this.#state.kind !== 'idle') return;
    if (next.epoch !== current.epoch + 1) throw new Error(`epoch ${next.epoch} cannot follow ${current.epoch}`);
    const encoded = encodeTopology(next);
    this.#tries = 0;
    this.#try({ epoch: next.epoch, encoded, voters: votersOf(current) });
  }

  /** This epoch, or a later one, is in force: there is nothing to propose for it any more. */
  onEpoch(epoch: number): void {
    if (this.#state.kind !== 'idle' && this.#state.wanted.epoch <= epoch) this.stop();
  }

  stop(): void {
    if (this.#state.kind !== 'idle') this.#options.timers.stop(this.#state.timer);
    this.#state = { kind: 'idle' };
  }

  /** A ballot that this node heard of as a voter. */
  observe(ballot: Ballot): void {
    this.#counter = Math.max(this.#counter, ballot.counter);
  }

  /** A voter answered a prepare of the attempt with that number. */
  onPromise(voter: number, attempt: number, answer: EpochAnswer, accepted: EpochAccepted | undefined): void {
    const state = this.#state;
    if (state.kind !== 'trying' || attempt !== this.#attempt) return;
    const { ballot } = state.round;
    if (answer.isRefused) this.#take(state, onRefused(state.round, ballot, answer.promised));
    else this.#take(state, onPromise(state.round, ballot, voter, accepted));
  }

  /** A voter answered an accept of the attempt with that number. */
  onAcceptance(voter: number, attempt: number, answer: EpochAnswer): void {
    const state = this.#state;
    if (state.kind !== 'trying' || attempt !== this.#attempt) return;
    const { ballot } = state.round;
    if (answer.isRefused) this.#take(state, onRefused(state.round, ballot, answer.promised));
    else this.#take(state, onAccepted(state.round, ballot, voter));
  }

  #try(wanted: Wanted): void {
    const { self, generation, timers, sendPrepare } = this.#options;
    this.#attempt = (this.#attempt + 1) >>> 0;
    this.#tries++;
    this.#counter++;
    const ballot = { counter: this.#counter, node: self, generation };
    const round: Round<Uint8Array> = beginRound(ballot, [wanted.voters]);
    const timer = timers.start(ATTEMPT_MS, () => this.#pause(wanted));
    this.#state = { kind: 'trying', wanted, round, timer };
    const attempt = this.#attempt;
    // An answer of this very node may come at once, and end the attempt.
    for (const voter of wanted.voters) {
      if (this.#attempt === attempt && this.#state.kind === 'trying') sendPrepare(voter, attempt, wanted.epoch, ballot);
    }
  }

  #pause(wanted: Wanted): void {
    const { timers, random } = this.#options;
    if (this.#state.kind !== 'idle') timers.stop(this.#state.timer);
    const longestMs = PAUSE_MS * Math.min(this.#tries, PAUSES_MAX);
    const pauseMs = longestMs * (0.5 + random.uint32() / 2 ** 33);
    this.#state = { kind: 'pausing', wanted, timer: timers.start(pauseMs, () => this.#try(wanted)) };
  }

  /** The round went on. */
  #take(state: ProposerState & { readonly kind: 'trying' }, round: Round<Uint8Array>): void {
    const { wanted } = state;
    switch (round.kind) {
      case 'preparing':
      case 'accepting':
        this.#state = { ...state, round };
        return;
      case 'prepared': {
        // Whatever may have been decided already is proposed again.
        const value = round.highest?.value ?? wanted.encoded;
        const proposed = propose(round, value);
        this.#state = { ...state, round: proposed };
        const attempt = this.#attempt;
        for (const voter of wanted.voters) {
          if (this.#attempt !== attempt || this.#state.kind !== 'trying') return;
          this.#options.sendAccept(voter, attempt, wanted.epoch, round.ballot, value);
        }
        return;
      }
      case 'outbid':
        this.observe(round.by);
        this.#pause(wanted);
        return;
      case 'decided': {
        this.stop();
        const { epoch } = decodeTopology(round.value, viewOf(round.value), 0, round.value.length);
        if (epoch !== wanted.epoch) throw new Error(`epoch ${epoch} was decided where ${wanted.epoch} was proposed`);
        this.#options.onDecided(round.value);
        return;
      }
    }
  }
}
