import { KEY_BYTES, keyText, VALUE_BYTES, valueText } from './key-space.js';
import type { LoadConnection } from './load-connection.js';
import { type Operation, RequestPool } from './request-pool.js';
import type { ReplyReader, Wire } from './wire.js';

const DOLLAR = 0x24;
const PLUS = 0x2b;
const LINE_FEED = 0x0a;
const ZERO = 0x30;

/** RESP2, pipelined: replies come in the order of the requests. */
export const redisWire: Wire = {
  pool,
  reader: (pool) => new RedisReader(pool),
  opening: () => undefined,
  patch: undefined,
};

function pool(operation: Operation, order: Uint32Array): RequestPool {
  const head = operation === 'get' ? `*2\r\n$3\r\nGET\r\n$${KEY_BYTES}\r\n` : `*3\r\n$3\r\nSET\r\n$${KEY_BYTES}\r\n`;
  const middle = operation === 'get' ? '\r\n' : `\r\n$${VALUE_BYTES}\r\n`;
  const tail = operation === 'get' ? 0 : VALUE_BYTES + 2;
  const requestBytes = head.length + KEY_BYTES + middle.length + tail;
  return new RequestPool(operation, order, requestBytes, head.length, (bytes, offset, _index, key) => {
    const value = operation === 'get' ? '' : `${valueText(key)}\r\n`;
    bytes.write(`${head}${keyText(key)}${middle}${value}`, offset, 'latin1');
  });
}

class RedisReader implements ReplyReader {
  errors = 0;
  mismatches = 0;
  private readonly pool: RequestPool;

  constructor(pool: RequestPool) {
    this.pool = pool;
  }

  read(bytes: Buffer, view: DataView, start: number, end: number, connection: LoadConnection): number {
    let at = start;
    let checked = false;
    while (at < end) {
      let next: number;
      if (bytes[at] === DOLLAR) {
        let length = 0;
        let digit = at + 1;
        while (digit < end && bytes[digit] >= ZERO) length = length * 10 + bytes[digit++] - ZERO;
        next = digit + 2 + length + 2;
        if (next > end) break;
        if (length !== VALUE_BYTES)
          this.errors++; // "$-1", absent, has no digits at once: length 0
        else if (!checked) {
          checked = true;
          if (!this.pool.keyMatches(connection.receiveCursor, view, digit + 2)) this.mismatches++;
        }
      } else {
        const feed = bytes.indexOf(LINE_FEED, at);
        if (feed < 0 || feed >= end) break;
        next = feed + 1;
        if (bytes[at] !== PLUS) this.errors++;
      }
      at = next;
      if (connection.latency !== undefined) connection.completed(connection.receiveCursor);
      connection.receiveCursor++;
    }
    return at;
  }
}
