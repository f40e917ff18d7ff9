import {
  type Ballot,
  Consistency,
  compareBallots,
  encodeSerialAccept,
  encodeSerialPrepare,
  encodeSerialRead,
  NO_BALLOT,
  Opcode,
  type SerialAnswer,
  SerialContent,
  type SerialState,
} from '@memdb/protocol';
import { SERIAL_BACKOFF_MS_MAX, SERIAL_BACKOFF_MS_MIN, SERIAL_BATCH_MAX, SERIAL_PHASE_MS } from '../../model/limits.js';
import { kindOfContent } from '../../model/serial-acceptor.js';
import { compareVersions } from '../../model/version-order.js';
import type { Timer } from '../../ports/timers.js';
import { isEnough, type Quorum, quorumOf } from '../../topology/quorum.js';
import type { ReplicaSet } from '../../topology/replica-sets.js';
import type { ReplyError } from '../replies.js';
import { LEASE_SHORT, unavailable } from '../write-errors.js';
import { isReplyError } from './serial-acceptor.js';
import { adopt, applyAll, proposalOf } from './serial-apply.js';
import type { SerialContext } from './serial-context.js';
import type { SerialOperation, SerialResult } from './serial-operation.js';

/** Where the key's present attempt stands. */
type Phase = 'idle' | 'reading' | 'preparing' | 'accepting' | 'waiting';

/**
 * The serial operations on one key that this node drives: all that wait go into one round (mechanisms: Consensus on a
 * key). Alive while any does; the promise that it keeps for its next round outlives it, in the coordinator.
 *
 * Invariant: what is answered was decided, that is accepted durably by a quorum in one ballot.
 */
export class SerialKey {
  readonly name: string;
  readonly key: Uint8Array;
  readonly hash: number;
  readonly #context: SerialContext;
  #phase: Phase = 'idle';
  #waiting: SerialOperation[] = [];
  /** In the round under way, with what it makes of them. */
  #batch: SerialOperation[] = [];
  #results: SerialResult[] = [];
  #set: ReplicaSet;
  #quorum: Quorum;
  /** Names the attempt's questions: answers to earlier ones are told apart by it. */
  #correlation = 0;
  #ballot: Ballot = NO_BALLOT;
  /** Promised along with the Accept. */
  #next: Ballot = NO_BALLOT;
  #asked = 0;
  #answered = 0;
  #failed = 0;
  #states: SerialState[] = [];
  /** The highest promise that was in the way. */
  #outbid: Ballot = NO_BALLOT;
  #attempts = 0;
  #phaseMs = 0;
  #timer: Timer | undefined;

  constructor(context: SerialContext, name: string, key: Uint8Array, hash: number) {
    this.#context = context;
    this.name = name;
    this.key = key;
    this.hash = hash;
    this.#set = context.sets.ofHash(hash);
    this.#quorum = quorumOf(this.#set, Consistency.quorum);
  }

  get size(): number {
    return this.#waiting.length + this.#batch.length;
  }

  add(operation: SerialOperation): void {
    this.#waiting.push(operation);
    if (this.#phase === 'idle') this.#step();
  }

  /** Every quorum is asked anew, in another ballot; what was sent may be accepted nevertheless, and is repeated. */
  onEpoch(): SerialOperation[] {
    this.#giveUp();
    this.#outbid = NO_BALLOT;
    this.#set = this.#context.sets.ofHash(this.hash);
    this.#quorum = quorumOf(this.#set, Consistency.quorum);
    if (!this.#set.coordinates) return this.#waiting.splice(0);
    this.#step();
    return [];
  }

  onLost(member: number): void {
    const at = this.#set.members.indexOf(member);
    if (at !== -1 && (this.#asked & ~this.#answered & (1 << at)) !== 0) this.#fail(at);
  }

  /** An acceptor's answer to the questions named by `correlation`. */
  onAnswer(member: number, correlation: number, answer: SerialAnswer | ReplyError): void {
    if (correlation !== this.#correlation) return;
    const at = this.#set.members.indexOf(member);
    if (at === -1 || (this.#answered & (1 << at)) !== 0) return;
    if (isReplyError(answer)) this.#fail(at);
    else if (answer.kind === 'refused') {
      if (compareBallots(answer.promised, this.#outbid) > 0) this.#outbid = answer.promised;
      this.#fail(at);
    } else {
      this.#answered |= 1 << at;
      this.#failed &= ~(1 << at);
      if (answer.kind === 'state') this.#states.push(answer.state);
      if (isEnough(this.#set, this.#answered, this.#quorum)) this.#onQuorum();
    }
  }

  /** Answers what is past its deadline, and begins anew what is not answered. */
  sweep(nowMs: number): void {
    const isDue = (operation: SerialOperation): boolean => operation.deadlineMs <= nowMs;
    for (const operation of this.#waiting.filter(isDue)) this.#context.expire(operation);
    this.#waiting = this.#waiting.filter((operation) => !isDue(operation));
    for (const [at, operation] of this.#batch.entries()) {
      if (!isDue(operation)) continue;
      this.#context.expire(operation);
      // The round goes on: nobody hears what it made of this one.
      this.#batch[at] = { ...operation, target: undefined, deadlineMs: Number.POSITIVE_INFINITY };
    }
    const isAsking = this.#phase !== 'idle' && this.#phase !== 'waiting';
    if (isAsking && nowMs - this.#phaseMs > SERIAL_PHASE_MS) this.#again();
  }

  /** What waits goes into one attempt: a fast read when nothing else is asked, otherwise a round. */
  #step(): void {
    if (this.#waiting.length === 0) {
      this.#phase = 'idle';
      this.#correlation = 0;
      this.#context.done(this);
      return;
    }
    const context = this.#context;
    const set = this.#set;
    const alive = context.reachable(set);
    if (!isEnough(set, alive, this.#quorum)) {
      const error = unavailable(alive, this.#quorum, set);
      // What may have been accepted somewhere waits for its deadline, or for the others to come back.
      for (const operation of this.#waiting.filter(({ isSent }) => !isSent)) context.fail(operation, error);
      this.#waiting = this.#waiting.filter(({ isSent }) => isSent);
      if (this.#waiting.length === 0) this.#step();
      else this.#backOff();
      return;
    }
    if (this.#attempts === 0 && this.#waiting.every(({ task }) => task.kind === 'read')) this.#read(alive);
    else if (!this.#goOn(alive)) this.#prepare(alive);
  }

  #begin(phase: Phase): void {
    this.#phase = phase;
    this.#phaseMs = this.#context.turn.nowMs;
    this.#correlation = this.#context.nextCorrelation(this);
    this.#asked = 0;
    this.#answered = 0;
    this.#failed = 0;
    this.#states = [];
  }

  #read(alive: number): void {
    this.#begin('reading');
    // What comes while this is asked is not answered from it: a later write may have been acknowledged in between.
    this.#batch = this.#waiting.splice(0);
    const correlation = this.#correlation;
    this.#ask(alive, Opcode.serialRead, encodeSerialRead(this.key));
    if (this.#asksSelf(alive, correlation)) {
      this.#context.acceptor.read(this.hash, this.key, (answer) => this.#onOwn(correlation, answer));
    }
  }

  /** The promise kept from the last round: its state is the one that this node accepted last. */
  #goOn(alive: number): boolean {
    const kept = this.#context.takeKept(this);
    if (kept === undefined) return false;
    this.#ballot = kept.ballot;
    this.#propose(kept.state, alive);
    return true;
  }

  #prepare(alive: number): void {
    const counter = this.#context.lamport.next(this.#outbid.counter);
    if (counter === 0) {
      this.#onLeaseShort();
      return;
    }
    this.#begin('preparing');
    const correlation = this.#correlation;
    const ballot = this.#context.ballot(counter);
    this.#ballot = ballot;
    this.#ask(alive, Opcode.serialPrepare, encodeSerialPrepare({ ballot, key: this.key }));
    if (this.#asksSelf(alive, correlation)) {
      this.#context.acceptor.prepare(this.hash, this.key, ballot, (answer) => this.#onOwn(correlation, answer));
    }
  }

  #propose(base: SerialState, alive: number): void {
    const { lamport, turn } = this.#context;
    // Each version has a stamp above all that the state speaks of; a lease that is short is found before anything is sent.
    const floor = Math.max(base.stamp.counter, this.#ballot.counter);
    if (!lamport.hasStamps(floor, SERIAL_BATCH_MAX + 2)) {
      this.#onLeaseShort();
      return;
    }
    this.#begin('accepting');
    const correlation = this.#correlation;
    this.#batch = this.#waiting.splice(0, SERIAL_BATCH_MAX);
    const stamp = (): { counter: number; node: number } => {
      return { counter: lamport.next(floor), node: this.#context.self };
    };
    const { state, results } = applyAll(adopt(base, turn.wallMs, stamp), this.#batch, stamp);
    this.#results = results;
    for (const operation of this.#batch) operation.isSent = true;
    const isSettling = this.#batch.every(({ task }) => task.kind === 'settle');
    this.#next = isSettling ? this.#ballot : this.#context.ballot(lamport.next(floor));
    const proposal = proposalOf(state, this.#ballot, this.#next);
    this.#ask(alive, Opcode.serialAccept, encodeSerialAccept({ key: this.key, proposal }));
    if (this.#asksSelf(alive, correlation)) {
      this.#context.acceptor.accept(this.hash, this.key, proposal, (answer) => this.#onOwn(correlation, answer));
    }
  }

  #onQuorum(): void {
    switch (this.#phase) {
      case 'reading':
        this.#onRead();
        return;
      case 'preparing':
        this.#propose(newestOf(this.#states), this.#context.reachable(this.#set));
        return;
      case 'accepting':
        this.#onDecided();
        return;
      case 'idle':
      case 'waiting':
    }
  }

  /** A quorum that reports one accepted ballot, all by vote, speaks of what was decided; higher promises do not matter. */
  #onRead(): void {
    const [first, ...others] = this.#states;
    const isDecided =
      first.accepted.counter !== 0 &&
      first.isVote &&
      others.every(({ accepted, isVote }) => isVote && compareBallots(accepted, first.accepted) === 0);
    const isPlain =
      first.promised.counter === 0 &&
      others.every(({ promised, stamp, content }) => {
        return (
          promised.counter === 0 &&
          content === first.content &&
          stamp.counter === first.stamp.counter &&
          stamp.node === first.stamp.node
        );
      });
    const isExpired = first.expiresAtMs !== 0 && first.expiresAtMs <= this.#context.turn.wallMs;
    const operations = this.#batch.splice(0);
    if (!(isDecided || isPlain) || isExpired) {
      this.#waiting.unshift(...operations);
      this.#attempts = Math.max(this.#attempts, 1);
      this.#step();
      return;
    }
    const { results } = applyAll(first, operations, () => first.stamp);
    for (const [at, operation] of operations.entries()) this.#context.answer(operation, results[at]);
    this.#step();
  }

  #onDecided(): void {
    const { selfIndex } = this.#set;
    const operations = this.#batch.splice(0);
    const isOwn = selfIndex !== -1 && (this.#answered & (1 << selfIndex)) !== 0;
    if (isOwn && compareBallots(this.#next, this.#ballot) > 0) {
      this.#context.keep(this, { ballot: this.#next, accepted: this.#ballot });
    }
    this.#attempts = 0;
    this.#outbid = NO_BALLOT;
    for (const [at, operation] of operations.entries()) this.#context.answer(operation, this.#results[at]);
    this.#step();
  }

  #ask(alive: number, opcode: number, body: Uint8Array): void {
    for (const [at, member] of this.#set.members.entries()) {
      if ((alive & (1 << at)) === 0 || at === this.#set.selfIndex) continue;
      if (this.#context.send(member, opcode, this.#correlation, body)) this.#asked |= 1 << at;
    }
  }

  #asksSelf(alive: number, correlation: number): boolean {
    const { selfIndex } = this.#set;
    if (selfIndex === -1 || (alive & (1 << selfIndex)) === 0 || correlation !== this.#correlation) return false;
    this.#asked |= 1 << selfIndex;
    return true;
  }

  #onOwn(correlation: number, answer: SerialAnswer | ReplyError): void {
    this.onAnswer(this.#context.self, correlation, answer);
    this.#context.turn.wake();
  }

  #fail(at: number): void {
    this.#failed |= 1 << at;
    const possible = (this.#set.owners | this.#set.next) & ~(this.#failed & ~this.#answered);
    if (!isEnough(this.#set, possible, this.#quorum)) this.#again();
  }

  #onLeaseShort(): void {
    for (const operation of this.#waiting.filter(({ isSent }) => !isSent)) this.#context.fail(operation, LEASE_SHORT);
    this.#waiting = this.#waiting.filter(({ isSent }) => isSent);
    if (this.#waiting.length === 0) this.#step();
    else this.#backOff();
  }

  /** The attempt came to nothing: what it carried waits for another, in a higher ballot, and is repeated there. */
  #again(): void {
    this.#giveUp();
    this.#attempts++;
    this.#backOff();
  }

  #giveUp(): void {
    if (this.#timer !== undefined) this.#context.timers.stop(this.#timer);
    this.#timer = undefined;
    const batch = this.#batch.splice(0).filter(({ target, task }) => target !== undefined || task.kind === 'settle');
    for (const operation of batch) operation.isRepeated = true;
    this.#waiting.unshift(...batch);
    this.#correlation = 0;
    this.#phase = 'idle';
  }

  /** Several proposers on one key give way to each other by waiting for random times. */
  #backOff(): void {
    this.#phase = 'waiting';
    this.#correlation = 0;
    const span = Math.min(SERIAL_BACKOFF_MS_MAX, SERIAL_BACKOFF_MS_MIN * 2 ** Math.min(this.#attempts, 10));
    const waitMs = span * (0.1 + this.#context.random.uint32() / 2 ** 32);
    this.#timer = this.#context.timers.start(waitMs, () => {
      this.#timer = undefined;
      this.#step();
      this.#context.turn.wake();
    });
  }

  stop(): void {
    if (this.#timer !== undefined) this.#context.timers.stop(this.#timer);
    this.#timer = undefined;
    this.#correlation = 0;
  }
}

/** The state of the highest accepted ballot or, where there is none, the newest plain version, deletions by a floor included. */
function newestOf(states: readonly SerialState[]): SerialState {
  return states.reduce((newest, state) => {
    const accepted = compareBallots(state.accepted, newest.accepted);
    if (accepted !== 0) return accepted > 0 ? state : newest;
    if (state.accepted.counter !== 0) return newest;
    const order = compareVersions(
      state.stamp.counter,
      state.stamp.node,
      kindOfContent(state.content),
      newest.stamp.counter,
      newest.stamp.node,
      kindOfContent(newest.content),
    );
    // Of a deletion and a floor with its very stamp the deletion has an id.
    return order > 0 || (order === 0 && newest.content === SerialContent.never) ? state : newest;
  });
}
