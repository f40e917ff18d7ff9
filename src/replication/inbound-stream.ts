import {
  FRAME_HEADER_BYTES,
  frameEpoch,
  Opcode,
  ProtocolError,
  REFUSED_SERIAL,
  RUN_CATCH_UP,
  runLastLsn,
  runOptions,
  runSegmentGeneration,
  runSegmentOffset,
  runStreamId,
  STREAM_ACK_HEADER_BYTES,
  STREAM_REFUSAL_BYTES,
  STREAM_RUN_HEADER_BYTES,
  writeCounter,
  writeStamp,
  writeStreamAckHeader,
} from '@memdb/protocol';
import { STREAM_REFUSALS_MAX } from '../model/limits.js';
import { StorageError } from '../storage/storage-error.js';
import type { Store } from '../storage/store.js';
import type { Replies, ReplyTarget } from './replies.js';

const TWO_32 = 4294967296;

/**
 * The receiving end of one peer's stream: stores its runs, and acknowledges each once it is durable here. Refusals (a
 * newer version is held) are named one by one, and only when that newer version is durable too.
 */
export class InboundStream {
  readonly #store: Store;
  readonly #replies: Replies;
  readonly #target: ReplyTarget;
  /** Runs stored and not acknowledged: own LSN that must be durable, and the sender's LSN to acknowledge. */
  readonly #ownLsns: number[] = [];
  readonly #senderLsns: number[] = [];
  readonly #refusals: {
    readonly lsn: number;
    readonly counter: number;
    readonly node: number;
    readonly serial: boolean;
  }[] = [];
  #streamId = 0;
  #refusedStreamId = -1;
  #lastLsn = 0;

  constructor(store: Store, replies: Replies, target: ReplyTarget) {
    this.#store = store;
    this.#replies = replies;
    this.#target = target;
  }

  /** A streamRun frame. Throws `ProtocolError` when it is malformed or its checksums do not match. */
  onRun(epoch: number, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const body = start + FRAME_HEADER_BYTES;
    if (end - body < STREAM_RUN_HEADER_BYTES) throw new ProtocolError('bad-request', start, 'streamRun is cut');
    const streamId = runStreamId(view, body);
    // A run behind a refused one must not be acknowledged: the acknowledgement would cover the refused one.
    if (streamId === this.#refusedStreamId) return;
    if (streamId !== this.#streamId) this.#begin(streamId);
    if (frameEpoch(view, start) !== epoch) {
      this.#refuse(streamId, 'wrong-epoch', `this node is in epoch ${epoch}`);
      return;
    }
    this.#lastLsn = runLastLsn(view, body);
    const stored = this.#ingest(bytes, view, body, end);
    if (!stored || this.#refusals.length > STREAM_REFUSALS_MAX) {
      this.#refuse(streamId, 'overloaded', 'no room in the log of this node');
      return;
    }
    this.#ownLsns.push(this.#store.lastLsn);
    this.#senderLsns.push(this.#lastLsn);
    if (this.#store.lastLsn <= this.#store.durableLsn) this.onDurable(this.#store.durableLsn);
  }

  /** False when there is no room. */
  #ingest(bytes: Uint8Array, view: DataView, body: number, end: number): boolean {
    try {
      return this.#store.ingestRun(
        bytes,
        view,
        body + STREAM_RUN_HEADER_BYTES,
        end,
        runSegmentGeneration(view, body),
        runSegmentOffset(view, body),
        (runOptions(view, body) & RUN_CATCH_UP) !== 0,
        this.#onRefused,
      );
    } catch (error) {
      // Damaged on the way, or in the sender's memory: this connection ends, nothing of the run was stored.
      if (error instanceof StorageError && error.code === 'bad-run') {
        throw new ProtocolError('bad-request', body, error.message);
      }
      throw error;
    }
  }

  /** The log of this node is durable up to `lsn`. */
  onDurable(lsn: number): void {
    let count = 0;
    while (count < this.#ownLsns.length && this.#ownLsns[count] <= lsn) count++;
    if (count === 0) return;
    const acknowledged = this.#senderLsns[count - 1];
    this.#ownLsns.splice(0, count);
    this.#senderLsns.splice(0, count);
    this.#acknowledge(acknowledged);
  }

  readonly #onRefused = (lsnLow: number, counter: number, node: number, serial: boolean): void => {
    // Local LSNs travel as their low halves; the run says the last one in full.
    const high = Math.floor(this.#lastLsn / TWO_32) * TWO_32;
    const lsn = high + lsnLow > this.#lastLsn ? high + lsnLow - TWO_32 : high + lsnLow;
    this.#refusals.push({ lsn, counter, node, serial });
  };

  #begin(streamId: number): void {
    this.#streamId = streamId;
    this.#refusedStreamId = -1;
    this.#ownLsns.length = 0;
    this.#senderLsns.length = 0;
    this.#refusals.length = 0;
  }

  #refuse(streamId: number, code: 'wrong-epoch' | 'overloaded', message: string): void {
    this.#begin(streamId);
    this.#refusedStreamId = streamId;
    this.#target.inflight++;
    this.#replies.error(this.#target, Opcode.streamRun, streamId, { code, outcome: 'not-applied', message });
  }

  #acknowledge(lsn: number): void {
    let named = 0;
    while (named < this.#refusals.length && this.#refusals[named].lsn <= lsn) named++;
    if (this.#target.closed) return;
    this.#target.inflight++;
    const bodyBytes = STREAM_ACK_HEADER_BYTES + named * STREAM_REFUSAL_BYTES;
    let at = this.#replies.begin(this.#target, Opcode.streamAck, 0, 0, bodyBytes);
    const { view } = this.#target.out;
    writeStreamAckHeader(view, at, this.#streamId, named, lsn);
    at += STREAM_ACK_HEADER_BYTES;
    for (let index = 0; index < named; index++) {
      const refusal = this.#refusals[index];
      writeCounter(view, at, refusal.lsn);
      writeStamp(view, at + 8, refusal.counter, refusal.node);
      if (refusal.serial) view.setUint16(at + 18, REFUSED_SERIAL, true);
      at += STREAM_REFUSAL_BYTES;
    }
    this.#refusals.splice(0, named);
  }
}
