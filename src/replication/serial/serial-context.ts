import type { Ballot, SerialState } from '@memdb/protocol';
import type { LamportClock } from '../../model/lamport-clock.js';
import type { Random } from '../../ports/random.js';
import type { Timers } from '../../ports/timers.js';
import type { Turn } from '../../ports/turn.js';
import type { ReplicaSet, ReplicaSets } from '../../topology/replica-sets.js';
import type { ReplyError } from '../replies.js';
import type { SerialAcceptor } from './serial-acceptor.js';
import type { SerialKey } from './serial-key.js';
import type { SerialOperation, SerialResult } from './serial-operation.js';

/** A promise for the round after the one in which `accepted` was decided. */
export interface KeptPromise {
  readonly ballot: Ballot;
  readonly accepted: Ballot;
}

/** What the rounds of one key need of their coordinator. */
export interface SerialContext {
  readonly self: number;
  readonly sets: ReplicaSets;
  readonly lamport: LamportClock;
  readonly turn: Turn;
  readonly timers: Timers;
  readonly random: Random;
  readonly acceptor: SerialAcceptor;
  /** The members of the set that can be reached, as bits. */
  reachable(set: ReplicaSet): number;
  ballot(counter: number): Ballot;
  /** A fresh correlation id that names this key's present questions. */
  nextCorrelation(key: SerialKey): number;
  /** False when the member cannot be asked. */
  send(member: number, opcode: number, correlation: number, body: Uint8Array): boolean;
  keep(key: SerialKey, promise: KeptPromise): void;
  /** The promise kept for the key, if it still is the last word here, with the state that was decided; it is used up. */
  takeKept(key: SerialKey): { readonly ballot: Ballot; readonly state: SerialState } | undefined;
  answer(operation: SerialOperation, result: SerialResult): void;
  /** It was never sent. */
  fail(operation: SerialOperation, error: ReplyError): void;
  expire(operation: SerialOperation): void;
  /** Nothing waits for the key any more. */
  done(key: SerialKey): void;
}
