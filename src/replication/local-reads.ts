import { copyBytes, Flag, Opcode, STAMP_BYTES, writeStamp } from '@memdb/protocol';
import { RecordKind } from '../model/record.js';
import type { Turn } from '../ports/turn.js';
import type { Store } from '../storage/store.js';
import type { HeldReplies } from './held-replies.js';
import { DISK_BEHIND } from './read-errors.js';
import { KEY_LOST, type Replies, type ReplyTarget, TARGET_SATURATED } from './replies.js';

export interface LocalReadsOptions {
  readonly store: Store;
  readonly replies: Replies;
  readonly held: HeldReplies;
  readonly turn: Turn;
}

/** Answers reads of consistency `one` from this replica. */
export class LocalReads {
  readonly #options: LocalReadsOptions;

  constructor(options: LocalReadsOptions) {
    this.#options = options;
  }

  /**
   * `get` or `contains` from this replica alone; the key is `bytes[keyStart, +keyLength)`. Answers by `deadlineMs`,
   * monotonic. Hot.
   */
  read(
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    deadlineMs: number,
    hash: number,
    bytes: Uint8Array,
    view: DataView,
    keyStart: number,
    keyLength: number,
  ): void {
    const { store, replies, held } = this.#options;
    const has = store.lookup(hash, bytes, view, keyStart, keyLength);
    if (store.found.lost) {
      replies.error(target, opcode, correlation, KEY_LOST);
      return;
    }
    if (!has) {
      replies.stamp(target, opcode, Flag.absent, correlation, store.found.counter, store.found.node);
      return;
    }
    const { found } = store;
    const absent =
      found.kind === RecordKind.tombstone ||
      (found.expiresAtMs !== 0 && found.expiresAtMs <= this.#options.turn.wallMs);
    const answersValue = !absent && opcode === Opcode.get;
    if (answersValue && !store.audit.isSound(found)) {
      // Damage is never answered. It was repaired just now, or the key is lost here.
      this.read(target, opcode, correlation, deadlineMs, hash, bytes, view, keyStart, keyLength);
      return;
    }
    const valueLength = answersValue ? found.valueLength : 0;
    const flags = absent ? Flag.absent : 0;
    if (valueLength !== 0 && target.saturated) {
      replies.error(target, opcode, correlation, TARGET_SATURATED);
      return;
    }
    const { durable } = found;
    if (!durable && held.full) {
      replies.error(target, opcode, correlation, DISK_BEHIND);
      return;
    }
    const at = durable
      ? replies.begin(target, opcode, flags, correlation, STAMP_BYTES + valueLength)
      : held.begin(store.lastLsn, deadlineMs, target, opcode, flags, correlation, STAMP_BYTES + valueLength);
    const out = durable ? target.out : held.out;
    writeStamp(out.view, at, found.counter, found.node);
    copyBytes(out.bytes, out.view, at + STAMP_BYTES, found.bytes, found.view, found.valueStart, valueLength);
  }
}
