import {
  type Ballot,
  decodeSerialAccept,
  decodeSerialPrepare,
  decodeSerialRead,
  encodeSerialAnswer,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameCounter,
  frameOpcode,
  keyHash,
  Opcode,
  ProtocolError,
  type SerialAnswer,
  type SerialState,
} from '@memdb/protocol';
import { RecordKind } from '../../model/record.js';
import { accept, hasAccepted, promise } from '../../model/serial-acceptor.js';
import type { Durability, Store } from '../../storage/store.js';
import { viewOf } from '../../storage/view-of.js';
import { KEY_LOST, type Replies, type ReplyError, type ReplyTarget } from '../replies.js';
import { NO_ROOM } from '../write-errors.js';

/** An answer, or why there is none; given once what it rests on is on the device. */
export type OnAnswer = (answer: SerialAnswer | ReplyError) => void;

export function isReplyError(answer: SerialAnswer | ReplyError): answer is ReplyError {
  return 'code' in answer;
}

/**
 * This node as an acceptor (mechanisms: Consensus on a key). Whatever it answers is on the device before, whatever the
 * durability is: promises and acceptances are always synced.
 */
export class SerialAcceptor {
  readonly #store: Store;
  readonly #replies: Replies;
  readonly #durability: Durability;
  readonly #hashSeed: number;

  constructor(store: Store, replies: Replies, durability: Durability, hashSeed: number) {
    this.#store = store;
    this.#replies = replies;
    this.#durability = durability;
    this.#hashSeed = hashSeed;
  }

  /** A frame of a peer. Throws `ProtocolError` when it is malformed. */
  onRequest(target: ReplyTarget, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const opcode = frameOpcode(view, start);
    const correlation = frameCorrelation(view, start);
    const body = start + FRAME_HEADER_BYTES;
    const answer: OnAnswer = (given) => {
      if (isReplyError(given)) this.#replies.error(target, opcode, correlation, given);
      else this.#replies.body(target, opcode, 0, correlation, encodeSerialAnswer(given));
    };
    if (opcode === Opcode.serialRead) {
      const key = decodeSerialRead(bytes, view, body, end);
      this.read(this.#hashOf(key), key, answer);
    } else if (opcode === Opcode.serialPrepare) {
      const { ballot, key } = decodeSerialPrepare(bytes, view, body, end);
      checkCounter(view, start, ballot.counter);
      this.prepare(this.#hashOf(key), key, ballot, answer);
    } else {
      const { key, proposal } = decodeSerialAccept(bytes, view, body, end);
      checkCounter(view, start, Math.max(proposal.accepted.counter, proposal.promised.counter, proposal.stamp.counter));
      this.accept(this.#hashOf(key), key, proposal, answer);
    }
  }

  /** What it knows of the key; changes nothing. */
  read(hash: number, key: Uint8Array, answer: OnAnswer): void {
    const state = this.#stateOf(hash, key);
    if (state === undefined) answer(KEY_LOST);
    else this.#whenSynced(() => answer({ kind: 'state', state }));
  }

  prepare(hash: number, key: Uint8Array, ballot: Ballot, answer: OnAnswer): void {
    const state = this.#stateOf(hash, key);
    if (state === undefined) {
      answer(KEY_LOST);
      return;
    }
    const next = promise(state, ballot);
    if (next === undefined) this.#refuse(state, answer);
    else if (this.#keep(hash, key, next, answer)) this.#whenSynced(() => answer({ kind: 'state', state: next }));
  }

  accept(hash: number, key: Uint8Array, proposal: SerialState, answer: OnAnswer): void {
    const state = this.#stateOf(hash, key);
    if (state === undefined) {
      answer(KEY_LOST);
      return;
    }
    // A copy of what it accepted already, whatever it promised since.
    if (!hasAccepted(state, proposal.accepted)) {
      const next = accept(state, proposal);
      if (next === undefined) {
        this.#refuse(state, answer);
        return;
      }
      if (!this.#keep(hash, key, next, answer)) return;
    }
    this.#whenSynced(() => answer({ kind: 'accepted' }));
  }

  /** The promise that is in the way is on the device too before it is spoken of. */
  #refuse({ promised }: SerialState, answer: OnAnswer): void {
    this.#whenSynced(() => answer({ kind: 'refused', promised }));
  }

  /** Undefined while the newest version of the key is lost here to damage. */
  #stateOf(hash: number, key: Uint8Array): SerialState | undefined {
    const store = this.#store;
    const view = viewOf(key);
    const has = store.lookup(hash, key, view, 0, key.length);
    if (store.found.lost) return undefined;
    // Damage is never answered. It was repaired just now, or the key is lost here.
    if (has && !store.audit.isSound(store.found)) return this.#stateOf(hash, key);
    return store.serial.read(hash, view, 0, key.length);
  }

  /** False when there is no room, which was answered then. */
  #keep(hash: number, key: Uint8Array, next: SerialState, answer: OnAnswer): boolean {
    const store = this.#store;
    // Consensus passes the memory bound, as repair does.
    const room = store.room(store.serial.bytesOf(key.length, next), RecordKind.tombstone);
    if (room !== 'ok') answer(NO_ROOM[room]);
    else store.serial.keep(hash, key, 0, key.length, next);
    return room === 'ok';
  }

  #whenSynced(done: () => void): void {
    if (this.#durability === 'interval') this.#store.syncNow(done);
    else this.#store.whenSynced(done);
  }

  #hashOf(key: Uint8Array): number {
    return keyHash(key, viewOf(key), 0, key.length, this.#hashSeed);
  }
}

/** The sender's clock has passed every counter that it speaks of: what has not was damaged on the way. */
function checkCounter(view: DataView, start: number, counter: number): void {
  if (counter <= frameCounter(view, start)) return;
  throw new ProtocolError('bad-request', start, `counter ${counter} above the sender's clock`);
}
