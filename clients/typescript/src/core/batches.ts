import {
  BATCH_ITEMS_MAX,
  FRAME_BYTES_FLOOR,
  FRAME_HEADER_BYTES,
  type MemDbError,
  Opcode,
  TTL_BYTES,
} from '@memdb/protocol';
import type { Value } from '../options.js';
import { type Batch, BatchPart } from './batch.js';
import { type BatchAnswer, readBatchAnswers } from './batch-reader.js';
import type { Dispatcher } from './dispatcher.js';
import { keyError } from './failures.js';
import { isSoundKeyLength, type KeyScratch } from './key-scratch.js';
import type { Link } from './link.js';
import type { Operation } from './operation.js';
import { mayRepeat } from './retry-policy.js';
import type { Routes } from './routes.js';
import { byteLength } from './text.js';
import type { WriteOrder } from './write-order.js';

/** Body bytes of a batch frame: every node accepts a frame of FRAME_BYTES_FLOOR. 4 for consistency and count, 8 for a ttlMs. */
const BODY_BYTES_MAX: number = FRAME_BYTES_FLOOR - FRAME_HEADER_BYTES - 4 - TTL_BYTES;
/** Lengths of key and value before a setMany entry; a getMany key needs less. */
const ITEM_FIXED_BYTES = 8;

/** Keys gathered for one frame on one connection. */
interface Group {
  indexes: number[];
  bytes: number;
}

/**
 * Scatters a batch, each key to the connection of its replica and as many together as one frame may carry, and gathers
 * the answers.
 */
export class Batches {
  readonly #dispatcher: Dispatcher;
  readonly #scratch: KeyScratch;
  readonly #order: WriteOrder;

  constructor(dispatcher: Dispatcher, scratch: KeyScratch, order: WriteOrder) {
    this.#dispatcher = dispatcher;
    this.#scratch = scratch;
    this.#order = order;
  }

  /** Sends the keys of `operation`, which is spent afterwards: operations of their own carry them on. */
  scatter(operation: Operation, part: BatchPart): void {
    const routes = this.#dispatcher.routes;
    if (routes === undefined) {
      this.#dispatcher.park(operation);
      return;
    }
    const groups = new Map<Link, Group>();
    const homeless: number[] = [];
    for (const index of part.indexes) {
      const refusal = this.#loadKey(operation, part.batch, index, routes);
      if (refusal !== undefined) {
        this.#dispatcher.failKey(part.batch, index, refusal);
        continue;
      }
      const link = this.#linkFor(operation, part.batch, index, routes);
      if (link === undefined) homeless.push(index);
      else this.#gather(operation, part, index, link, groups);
    }
    for (const [link, group] of groups) this.#send(operation, part.batch, group, part.isAlone, link);
    if (homeless.length > 0) {
      this.#dispatcher.park(this.#dispatcher.fork(operation, new BatchPart(part.batch, homeless, part.isAlone)));
    }
    this.#dispatcher.retire(operation);
  }

  /**
   * Takes the reply frame `bytes[frame, end)` to `operation`. Keys that were refused and may be tried again stay in it;
   * returns why, or undefined when none do. Throws ProtocolError before anything of a broken reply was used.
   */
  gather(
    operation: Operation,
    part: BatchPart,
    bytes: Uint8Array,
    view: DataView,
    frame: number,
    end: number,
    flags: number,
  ): MemDbError | undefined {
    const answers = readBatchAnswers(part, bytes, view, frame, end, flags);
    const { batch, indexes } = part;
    const again: number[] = [];
    const alone: number[] = [];
    let refusal: MemDbError | undefined;
    this.#dispatcher.unbind(operation);
    for (let at = 0; at < answers.length; at++) {
      const { value, error } = answers[at] as BatchAnswer;
      const index = indexes[at] as number;
      if (error === undefined) this.#dispatcher.succeedKey(batch, index, value);
      else if (error.code === 'batch-too-large' && !part.isAlone) alone.push(index);
      else if (mayRepeat(operation, error)) {
        refusal = error;
        again.push(index);
      } else this.#dispatcher.failKey(batch, index, error);
    }
    if (alone.length > 0) {
      this.#dispatcher.dispatch(this.#dispatcher.fork(operation, new BatchPart(batch, alone, true)));
    }
    operation.part = new BatchPart(batch, again, part.isAlone);
    return refusal;
  }

  /** Hashes a key; returns why it cannot be sent, or undefined. */
  #loadKey(operation: Operation, batch: Batch, index: number, routes: Routes): MemDbError | undefined {
    const length = this.#scratch.load(batch.keys[index] as string | Uint8Array);
    if (!isSoundKeyLength(length)) return keyError(length);
    const hash = this.#scratch.hash(routes.hashSeed);
    batch.hashes[index] = hash;
    if (!operation.isWrite) return undefined;
    const sequence = batch.sequences[index] as number;
    if (sequence === 0) batch.sequences[index] = this.#order.begin(hash);
    else if (operation.lastError !== undefined && !this.#order.isLast(hash, sequence)) return operation.lastError;
    return undefined;
  }

  #linkFor(operation: Operation, batch: Batch, index: number, routes: Routes): Link | undefined {
    const hash = batch.hashes[index] as number;
    if (!operation.isWrite) return routes.pick(hash, operation.attempts);
    const link = this.#order.linkInUse(hash) ?? routes.pick(hash, operation.attempts);
    if (link !== undefined) this.#order.bind(hash, link);
    return link;
  }

  #gather(operation: Operation, part: BatchPart, index: number, link: Link, groups: Map<Link, Group>): void {
    const value = part.batch.values[index];
    const bytes = ITEM_FIXED_BYTES + this.#scratch.length + (value === undefined ? 0 : byteLength(value));
    const group = groups.get(link);
    if (group === undefined) {
      groups.set(link, { indexes: [index], bytes });
      return;
    }
    if (part.isAlone || group.bytes + bytes > BODY_BYTES_MAX || group.indexes.length === BATCH_ITEMS_MAX) {
      this.#send(operation, part.batch, group, part.isAlone, link);
      group.indexes = [];
      group.bytes = 0;
    }
    group.indexes.push(index);
    group.bytes += bytes;
  }

  #send(operation: Operation, batch: Batch, group: Group, isAlone: boolean, link: Link): void {
    // A value that fills a frame by itself travels as a plain set, whose frame every node accepts up to its limits.
    const alone = isAlone || (group.indexes.length === 1 && group.bytes > BODY_BYTES_MAX);
    const sent = this.#dispatcher.fork(operation, new BatchPart(batch, group.indexes, alone));
    sent.opcode = batch.kind === 'set' ? Opcode.setMany : Opcode.getMany;
    if (alone) {
      const index = group.indexes[0] as number;
      sent.opcode = batch.kind === 'set' ? Opcode.set : Opcode.get;
      sent.key = batch.keys[index] as string | Uint8Array;
      sent.value = (batch.values[index] as Value | undefined) ?? '';
      this.#scratch.load(sent.key);
    }
    this.#dispatcher.sendOrQueue(sent, link);
  }
}
