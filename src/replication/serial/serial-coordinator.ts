import {
  type Ballot,
  compareBallots,
  decodeSerialAnswer,
  encodeCasReply,
  encodeResolveReply,
  Feature,
  Flag,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameEpoch,
  frameFlags,
  frameOpcode,
  Opcode,
  type SerialState,
} from '@memdb/protocol';
import type { PeerLink } from '../../membership/peer-link.js';
import type { LamportClock } from '../../model/lamport-clock.js';
import { SERIAL_KEPT_PROMISES_MAX, SERIAL_WAITING_MAX } from '../../model/limits.js';
import type { Random } from '../../ports/random.js';
import type { Counter, Telemetry } from '../../ports/telemetry.js';
import type { Timers } from '../../ports/timers.js';
import type { Turn } from '../../ports/turn.js';
import type { Store } from '../../storage/store.js';
import { viewOf } from '../../storage/view-of.js';
import type { ReplicaSet, ReplicaSets } from '../../topology/replica-sets.js';
import { hasFeatures } from '../forwarder.js';
import { READ_UNAVAILABLE } from '../read-errors.js';
import type { Replies, ReplyError } from '../replies.js';
import type { SerialAcceptor } from './serial-acceptor.js';
import type { KeptPromise, SerialContext } from './serial-context.js';
import { CANCELLED, FORGOTTEN, SERIAL_NOT_APPLIED, SERIAL_UNKNOWN, STALE, TOO_MANY_WAITING } from './serial-errors.js';
import { SerialKey } from './serial-key.js';
import { isSerialWrite, type SerialOperation, type SerialResult } from './serial-operation.js';

export interface SerialCoordinatorOptions {
  readonly self: number;
  /** Restart count of the data directory: part of every ballot. */
  readonly generation: number;
  readonly store: Store;
  readonly sets: ReplicaSets;
  readonly lamport: LamportClock;
  readonly turn: Turn;
  readonly timers: Timers;
  readonly random: Random;
  readonly replies: Replies;
  readonly telemetry: Telemetry;
  readonly acceptor: SerialAcceptor;
  /** By member number. */
  readonly links: readonly (PeerLink | undefined)[];
  readonly reachable: (member: number) => boolean;
  /** Another node is to go on with it: this one does not own the key any more. */
  readonly reroute: (operation: SerialOperation, key: Uint8Array, hash: number) => void;
}

/**
 * Drives the rounds of serial keys (mechanisms: Consensus on a key), each key's on its own. Any owner may; operations come
 * to the preferred one.
 */
export class SerialCoordinator implements SerialContext {
  readonly #options: SerialCoordinatorOptions;
  /** Keys with operations under way, by the bytes of the key as Latin-1. */
  readonly #keys: Map<string, SerialKey> = new Map();
  readonly #asked: Map<number, SerialKey> = new Map();
  /** Promises for next rounds, in the order in which they were kept. */
  readonly #kept: Map<string, KeptPromise> = new Map();
  #correlation = 0;
  readonly #rounds: Counter;
  readonly #operations: Counter;

  constructor(options: SerialCoordinatorOptions) {
    this.#options = options;
    const { telemetry } = options;
    this.#rounds = telemetry.counter('serial_rounds_total', 'Questions to the acceptors of a serial key.');
    this.#operations = telemetry.counter('serial_operations_total', 'Serial operations that were answered.');
  }

  get self(): number {
    return this.#options.self;
  }
  get sets(): ReplicaSets {
    return this.#options.sets;
  }
  get lamport(): LamportClock {
    return this.#options.lamport;
  }
  get turn(): Turn {
    return this.#options.turn;
  }
  get timers(): Timers {
    return this.#options.timers;
  }
  get random(): Random {
    return this.#options.random;
  }
  get acceptor(): SerialAcceptor {
    return this.#options.acceptor;
  }

  /** Operations that are not answered yet. */
  get pending(): number {
    let sum = 0;
    for (const key of this.#keys.values()) sum += key.size;
    return sum;
  }

  /** An operation on a key that this node owns. */
  add(operation: SerialOperation, key: Uint8Array, hash: number): void {
    const name = Buffer.from(key).toString('latin1');
    let driven = this.#keys.get(name);
    if (driven === undefined) {
      driven = new SerialKey(this, name, key, hash);
      this.#keys.set(name, driven);
    }
    if (driven.size >= SERIAL_WAITING_MAX) this.fail(operation, TOO_MANY_WAITING);
    else driven.add(operation);
  }

  /** Whether operations on the key are under way here. */
  isBusy(key: Uint8Array): boolean {
    return this.#keys.has(Buffer.from(key).toString('latin1'));
  }

  /** An acceptor's answer. */
  onReply(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const correlation = frameCorrelation(view, start);
    const key = this.#asked.get(correlation);
    if (key === undefined) return;
    if ((frameFlags(view, start) & Flag.error) !== 0) {
      // The fence: whoever is behind learns of the newer epoch, and everything is asked anew then.
      if (frameEpoch(view, start) === this.sets.epoch) key.onAnswer(link.number, correlation, READ_UNAVAILABLE);
      return;
    }
    if (frameEpoch(view, start) !== this.sets.epoch) return;
    const hasState = frameOpcode(view, start) !== Opcode.serialAccept;
    const answer = decodeSerialAnswer(bytes, view, start + FRAME_HEADER_BYTES, end, hasState);
    key.onAnswer(link.number, correlation, answer);
  }

  /** Another epoch is in force: no answer carries over, no promise does, and every round begins anew in another ballot. */
  onEpoch(): void {
    this.#kept.clear();
    for (const key of [...this.#keys.values()]) {
      const others = key.onEpoch();
      if (others.length > 0 && key.size === 0) this.#forget(key);
      for (const operation of others) this.#options.reroute(operation, key.key, key.hash);
    }
  }

  onLost(member: number): void {
    for (const key of [...this.#keys.values()]) key.onLost(member);
  }

  sweep(nowMs: number): void {
    for (const key of [...this.#keys.values()]) key.sweep(nowMs);
  }

  stop(): void {
    for (const key of this.#keys.values()) key.stop();
  }

  reachable(set: ReplicaSet): number {
    const { links, reachable, self } = this.#options;
    return set.members.reduce((bits, member, at) => {
      const isThere = member === self || (reachable(member) && hasFeatures(links[member], Feature.serial));
      return isThere ? bits | (1 << at) : bits;
    }, 0);
  }

  ballot(counter: number): Ballot {
    return { counter, node: this.#options.self, generation: this.#options.generation };
  }

  nextCorrelation(key: SerialKey): number {
    this.#rounds.value++;
    for (const [correlation, asked] of this.#asked) if (asked === key) this.#asked.delete(correlation);
    this.#correlation = (this.#correlation + 1) >>> 0 || 1;
    this.#asked.set(this.#correlation, key);
    return this.#correlation;
  }

  send(member: number, opcode: number, correlation: number, body: Uint8Array): boolean {
    const link = this.#options.links[member];
    if (link?.isUp !== true) return false;
    const at = link.begin(opcode, 0, correlation, 0, body.length);
    link.out.bytes.set(body, at);
    return true;
  }

  keep(key: SerialKey, promise: KeptPromise): void {
    this.#kept.delete(key.name);
    this.#kept.set(key.name, promise);
    if (this.#kept.size <= SERIAL_KEPT_PROMISES_MAX) return;
    for (const [oldest] of this.#kept) {
      this.#kept.delete(oldest);
      return;
    }
  }

  takeKept(key: SerialKey): { readonly ballot: Ballot; readonly state: SerialState } | undefined {
    const kept = this.#kept.get(key.name);
    if (kept === undefined) return undefined;
    this.#kept.delete(key.name);
    const { store } = this.#options;
    const view = viewOf(key.key);
    if (!store.lookup(key.hash, key.key, view, 0, key.key.length) || store.found.lost) return undefined;
    if (!store.audit.isSound(store.found)) return undefined;
    const state = store.serial.read(key.hash, view, 0, key.key.length);
    const isLast =
      compareBallots(state.promised, kept.ballot) === 0 && compareBallots(state.accepted, kept.accepted) === 0;
    return isLast && state.isVote ? { ballot: kept.ballot, state } : undefined;
  }

  answer(operation: SerialOperation, result: SerialResult): void {
    const { target, opcode, correlation, isRepeated } = operation;
    if (target === undefined) return;
    this.#operations.value++;
    const { replies } = this.#options;
    switch (result.kind) {
      case 'done':
        this.#answerDone(operation, result);
        return;
      case 'compared':
        replies.body(target, opcode, 0, correlation, encodeCasReply(result));
        return;
      case 'resolved':
        replies.body(target, opcode, 0, correlation, encodeResolveReply(result));
        return;
      case 'cancelled':
        replies.error(target, opcode, correlation, CANCELLED);
        return;
      case 'forgotten':
        replies.error(target, opcode, correlation, isRepeated ? FORGOTTEN : STALE);
    }
  }

  fail(operation: SerialOperation, error: ReplyError): void {
    const { target, opcode, correlation, isSent, isRepeated } = operation;
    if (target === undefined) return;
    // That this copy had no effect says nothing of the one that was sent before it.
    const outcome = isSerialWrite(operation) && (isSent || isRepeated) ? 'unknown' : error.outcome;
    this.#options.replies.error(target, opcode, correlation, { ...error, outcome });
  }

  expire(operation: SerialOperation): void {
    const isUnknown = isSerialWrite(operation) && (operation.isSent || operation.isRepeated);
    this.fail(operation, isUnknown ? SERIAL_UNKNOWN : SERIAL_NOT_APPLIED);
  }

  done(key: SerialKey): void {
    this.#forget(key);
  }

  #forget(key: SerialKey): void {
    if (this.#keys.get(key.name) === key) this.#keys.delete(key.name);
    for (const [correlation, asked] of this.#asked) if (asked === key) this.#asked.delete(correlation);
  }

  #answerDone({ target, opcode, correlation, task }: SerialOperation, result: SerialResult & { kind: 'done' }): void {
    if (target === undefined) return;
    const { replies } = this.#options;
    const { stamp, value } = result;
    if (opcode === Opcode.quorumGet) {
      const reply = { agreed: true, stamp, value, responses: [] };
      replies.quorumGet(target, correlation, reply);
    } else if (task.kind !== 'read') replies.stamp(target, opcode, 0, correlation, stamp.counter, stamp.node);
    else if (value === undefined) replies.stamp(target, opcode, Flag.absent, correlation, stamp.counter, stamp.node);
    else if (opcode === Opcode.contains) replies.stamp(target, opcode, 0, correlation, stamp.counter, stamp.node);
    else replies.value(target, opcode, correlation, stamp.counter, stamp.node, value, viewOf(value), 0, value.length);
  }
}
