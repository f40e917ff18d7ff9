import {
  Consistency,
  Flag,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameFlags,
  Opcode,
  writeFrameHeader,
} from '@memdb/protocol';
import { KEY_BYTES, keyText, VALUE_BYTES, valueText } from './key-space.js';
import type { LoadConnection } from './load-connection.js';
import { type Operation, RequestPool } from './request-pool.js';
import type { Opening, ReplyReader, Wire } from './wire.js';

/** Consistency, options, key length. */
const REQUEST_HEAD = 4;
const STAMP_BYTES = 12;
/** What the client of this repository sends by default: the server watches deadlines here as it does there. */
const DEADLINE_MS = 2000;
const GET_REPLY_BYTES: number = FRAME_HEADER_BYTES + STAMP_BYTES + VALUE_BYTES;
const BAD_FLAGS: number = Flag.error | Flag.absent;

/** MemDB's frames. The correlation id of a request is its index in the pool. `opening` is made for each connection. */
export function memdbWire(opening: () => Opening | undefined): Wire {
  return { pool, reader: (requests) => new MemdbReader(requests), opening, patch: undefined };
}

function pool(operation: Operation, order: Uint32Array): RequestPool {
  const isSet = operation === 'set';
  const bodyBytes = REQUEST_HEAD + KEY_BYTES + (isSet ? VALUE_BYTES : 0);
  const keyOffset = FRAME_HEADER_BYTES + REQUEST_HEAD;
  const opcode = isSet ? Opcode.set : Opcode.get;
  return new RequestPool(operation, order, FRAME_HEADER_BYTES + bodyBytes, keyOffset, (bytes, offset, index, key) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    writeFrameHeader(view, offset, bodyBytes, opcode, 0, index, DEADLINE_MS, 0, 0);
    view.setUint32(offset + FRAME_HEADER_BYTES, Consistency.quorum | (KEY_BYTES << 16), true);
    bytes.write(keyText(key), offset + keyOffset, 'latin1');
    if (isSet) bytes.write(valueText(key), offset + keyOffset + KEY_BYTES, 'latin1');
  });
}

/** One GET frame for a key of 16 bytes. */
export function getRequest(key: string): Uint8Array {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + REQUEST_HEAD + KEY_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  writeFrameHeader(view, 0, REQUEST_HEAD + KEY_BYTES, Opcode.get, 0, 1, DEADLINE_MS, 0, 0);
  view.setUint32(FRAME_HEADER_BYTES, Consistency.quorum | (KEY_BYTES << 16), true);
  bytes.write(key, FRAME_HEADER_BYTES + REQUEST_HEAD, 'latin1');
  return bytes;
}

class MemdbReader implements ReplyReader {
  errors = 0;
  mismatches = 0;
  private readonly pool: RequestPool;
  private readonly isGet: boolean;

  constructor(pool: RequestPool) {
    this.pool = pool;
    this.isGet = pool.operation === 'get';
  }

  read(_bytes: Buffer, view: DataView, start: number, end: number, connection: LoadConnection): number {
    let at = start;
    let replies = 0;
    while (end - at >= FRAME_HEADER_BYTES) {
      const next = at + 4 + view.getUint32(at, true);
      if (next > end) break;
      const flags = frameFlags(view, at);
      if ((flags & BAD_FLAGS) !== 0 || (flags & Flag.reply) === 0) this.errors++;
      else if (this.isGet && replies === 0) {
        const matches =
          next - at === GET_REPLY_BYTES &&
          this.pool.keyMatches(frameCorrelation(view, at), view, at + FRAME_HEADER_BYTES + STAMP_BYTES);
        if (!matches) this.mismatches++;
      }
      if (connection.latency !== undefined) connection.completed(frameCorrelation(view, at));
      replies++;
      at = next;
    }
    connection.receiveCursor += replies;
    return at;
  }
}
