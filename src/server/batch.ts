import {
  Flag,
  FRAME_HEADER_BYTES,
  frameBytes,
  frameCorrelation,
  frameFlags,
  Opcode,
  OutgoingBuffer,
  ProtocolError,
  RequestOption,
  STAMP_BYTES,
  TTL_BYTES,
  writeCounter,
} from '@memdb/protocol';
import type { Replies, ReplyTarget } from '../replication/replies.js';
import type { ClientRequests } from './client-requests.js';

/** Kinds of items in a batch reply (PROTOCOL.md, "Batches"). */
const ITEM = { value: 0, absent: 1, error: 2 } as const;
/** Consistency, option byte and key length in front of the key, as the forwarder expects them. */
const ITEM_REQUEST_BYTES = 4;

/**
 * A `getMany` or `setMany`: its items run like single requests, with this object in the place of a connection. When the
 * last one is answered the results leave as one frame, in the order of the items.
 */
export class Batch implements ReplyTarget {
  readonly out: OutgoingBuffer = new OutgoingBuffer();
  inflight = 0;
  closed = false;
  dirty = false;
  readonly saturated = false;
  readonly session: object;
  readonly #replies: Replies;
  readonly #target: ReplyTarget;
  readonly #opcode: number;
  readonly #correlation: number;
  readonly #results: (Uint8Array | undefined)[];
  #unanswered: number;

  constructor(replies: Replies, target: ReplyTarget, opcode: number, correlation: number, count: number) {
    this.#replies = replies;
    this.#target = target;
    this.session = target.session;
    this.#opcode = opcode;
    this.#correlation = correlation;
    this.#results = new Array(count).fill(undefined);
    this.#unanswered = count;
  }

  /** Runs the items in `bytes[at, end)`. Throws `ProtocolError` when they are malformed; nothing has begun then. */
  run(
    requests: ClientRequests,
    selector: number,
    ttlMs: number,
    timeoutMs: number,
    token: number,
    bytes: Uint8Array,
    view: DataView,
    at: number,
    end: number,
  ): void {
    const set = this.#opcode === Opcode.setMany;
    const items = this.#locate(set, view, at, end);
    if (items.length === 0) this.#answer();
    const opcode = set ? Opcode.set : Opcode.get;
    const ttlBytes = ttlMs === 0 ? 0 : TTL_BYTES;
    for (const [index, item] of items.entries()) {
      // Forwarding needs the item as a request of its own: four bytes in front of the key, the time to live behind it.
      const keyEnd = ITEM_REQUEST_BYTES + item.keyLength;
      const valueStart = keyEnd + ttlBytes;
      const request = new Uint8Array(valueStart + item.valueLength);
      const requestView = new DataView(request.buffer);
      const itemKeyEnd = item.keyStart + item.keyLength;
      requestView.setUint8(0, selector);
      requestView.setUint8(1, ttlMs === 0 ? 0 : RequestOption.ttl);
      requestView.setUint16(2, item.keyLength, true);
      request.set(bytes.subarray(item.keyStart, itemKeyEnd), ITEM_REQUEST_BYTES);
      if (ttlMs !== 0) writeCounter(requestView, keyEnd, ttlMs);
      request.set(bytes.subarray(itemKeyEnd, itemKeyEnd + item.valueLength), valueStart);
      this.inflight++;
      requests.operate(
        this,
        opcode,
        index,
        selector,
        timeoutMs,
        token,
        false,
        request,
        requestView,
        ITEM_REQUEST_BYTES,
        item.keyLength,
        valueStart,
        item.valueLength,
        ttlMs,
      );
    }
  }

  /** End of turn: takes in what was answered. */
  flush(): void {
    const { bytes, view } = this.out;
    for (let at = 0; at < this.out.end; at += frameBytes(view, at)) {
      const body = at + FRAME_HEADER_BYTES;
      const end = at + frameBytes(view, at);
      const flags = frameFlags(view, at);
      this.#results[frameCorrelation(view, at)] = this.#encode(flags, bytes, body, end);
      this.#unanswered--;
    }
    this.out.clear();
    if (this.#unanswered === 0) this.#answer();
  }

  #encode(flags: number, bytes: Uint8Array, body: number, end: number): Uint8Array {
    const error = (flags & Flag.error) !== 0;
    const absent = (flags & Flag.absent) !== 0;
    const value = !error && !absent && this.#opcode === Opcode.getMany;
    const valueLength = value ? end - body - STAMP_BYTES : 0;
    const item = new Uint8Array(4 + (end - body) + (value ? 4 : 0));
    item[0] = error ? ITEM.error : absent ? ITEM.absent : ITEM.value;
    if (!value) item.set(bytes.subarray(body, end), 4);
    else {
      item.set(bytes.subarray(body, body + STAMP_BYTES), 4);
      new DataView(item.buffer).setUint32(4 + STAMP_BYTES, valueLength, true);
      item.set(bytes.subarray(body + STAMP_BYTES, end), 8 + STAMP_BYTES);
    }
    return item;
  }

  #answer(): void {
    const target = this.#target;
    if (target.closed) {
      target.inflight--;
      return;
    }
    const bodyBytes = this.#results.reduce((sum, item) => sum + (item?.length ?? 0), 4);
    let at = this.#replies.begin(target, this.#opcode, 0, this.#correlation, bodyBytes);
    target.out.view.setUint32(at, this.#results.length, true);
    at += 4;
    for (const item of this.#results) {
      if (item === undefined) continue;
      target.out.bytes.set(item, at);
      at += item.length;
    }
  }

  #locate(
    set: boolean,
    view: DataView,
    start: number,
    end: number,
  ): { keyStart: number; keyLength: number; valueLength: number }[] {
    const headerBytes = set ? 8 : 2;
    let at = start;
    const items = this.#results.map(() => {
      if (at + headerBytes > end) throw new ProtocolError('bad-request', at, 'batch item is cut');
      const keyLength = view.getUint16(at, true);
      const valueLength = set ? view.getUint32(at + 4, true) : 0;
      const keyStart = at + headerBytes;
      at = keyStart + keyLength + valueLength;
      if (at > end) throw new ProtocolError('bad-request', keyStart, 'batch item is cut');
      return { keyStart, keyLength, valueLength };
    });
    if (at !== end) throw new ProtocolError('bad-request', at, 'batch has bytes after its last item');
    return items;
  }
}
