import {
  CounterEntryList,
  counterHash,
  counterListBytes,
  decodeCounterName,
  Opcode,
  readCounterMerge,
  writeCounterList,
} from '@memdb/protocol';
import { COUNTER_ANSWERS_HELD_MAX } from '../../model/limits.js';
import type { Store } from '../../storage/store.js';
import { KEY_LOST, type Replies, type ReplyTarget } from '../replies.js';
import { TOO_MANY_HELD } from './counter-errors.js';
import { mergeInto } from './counter-reads.js';

/**
 * Answers what coordinators ask of this node as one replica of a counter: its entries, and to take those that it lacks.
 *
 * Invariant: an answer speaks of nothing that is not on the device by the time it leaves, whatever the durability is.
 */
export class CounterReplica {
  readonly #store: Store;
  readonly #replies: Replies;
  readonly #hashSeed: number;
  readonly #onReturned: () => void;
  readonly #entries: CounterEntryList = new CounterEntryList();
  /** Answers that wait for the log. */
  #held = 0;

  constructor(store: Store, replies: Replies, hashSeed: number, onReturned: () => void) {
    this.#store = store;
    this.#replies = replies;
    this.#hashSeed = hashSeed;
    this.#onReturned = onReturned;
  }

  /** counterEntries, with the body `[body, end)`. Throws ProtocolError when it is malformed. */
  onEntries(
    target: ReplyTarget,
    correlation: number,
    bytes: Uint8Array,
    view: DataView,
    body: number,
    end: number,
  ): void {
    const { start, length } = decodeCounterName(view, body, end);
    const hash = counterHash(bytes, view, start, length, this.#hashSeed);
    const entries = this.#entries;
    const { entries: own } = this.#store;
    entries.clear();
    own.collect(hash, view, start, length, entries);
    if (own.isLost(hash)) {
      this.#replies.error(target, Opcode.counterEntries, correlation, KEY_LOST);
      return;
    }
    const answer = new Uint8Array(counterListBytes(entries, 0));
    writeCounterList(answer, new DataView(answer.buffer), 0, entries, bytes, 0, 0);
    this.#answer(target, Opcode.counterEntries, correlation, answer, own.lastLsn);
  }

  /** counterMerge, with the body `[body, end)`. Throws ProtocolError when it is malformed. */
  onMerge(
    target: ReplyTarget,
    correlation: number,
    bytes: Uint8Array,
    view: DataView,
    body: number,
    end: number,
  ): void {
    const { start, length } = readCounterMerge(view, body, end, this.#entries);
    const hash = counterHash(bytes, view, start, length, this.#hashSeed);
    if (!mergeInto(this.#store, hash, bytes, start, length, this.#entries, this.#onReturned)) {
      this.#replies.error(target, Opcode.counterMerge, correlation, {
        code: 'overloaded',
        outcome: 'not-applied',
        message: 'no room in the log of this node',
      });
      return;
    }
    this.#answer(target, Opcode.counterMerge, correlation, NO_BYTES, this.#store.lastLsn);
  }

  #answer(target: ReplyTarget, opcode: number, correlation: number, body: Uint8Array, lsn: number): void {
    if (lsn <= this.#store.syncedLsn) this.#replies.body(target, opcode, 0, correlation, body);
    else if (this.#held >= COUNTER_ANSWERS_HELD_MAX) this.#replies.error(target, opcode, correlation, TOO_MANY_HELD);
    else {
      this.#held++;
      this.#store.whenSynced(() => {
        this.#held--;
        this.#replies.body(target, opcode, 0, correlation, body);
      });
    }
  }
}

const NO_BYTES = new Uint8Array(0);
