/**
 * Answers every request of a fixed size with the same reply, without looking at it: `stub-process.js WIRE OPERATION
 * PORT`. Spot checks of values fail against it, so replies to `get` carry no value that could be compared.
 */
import { createServer } from 'node:net';
import { Flag, FRAME_HEADER_BYTES, Opcode, writeFrameHeader } from '@memdb/protocol';
import { VALUE_BYTES } from '../generators/key-space.js';
import { memdbWire } from '../generators/memdb-wire.js';
import { redisWire } from '../generators/redis-wire.js';
import type { Operation } from '../generators/request-pool.js';

/** The longest burst of one connection. */
const REPLIES_MAX = 4096;
const STAMP_BYTES = 12;

function memdbReply(operation: Operation): Buffer {
  const body = operation === 'get' ? STAMP_BYTES + VALUE_BYTES : STAMP_BYTES;
  const reply = Buffer.alloc(FRAME_HEADER_BYTES + body);
  const opcode = operation === 'get' ? Opcode.get : Opcode.set;
  const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
  writeFrameHeader(view, 0, body, opcode, Flag.reply, 0, 0, 0, 0);
  return reply;
}

function redisReply(operation: Operation): Buffer {
  return Buffer.from(operation === 'get' ? `$${VALUE_BYTES}\r\n${'v'.repeat(VALUE_BYTES)}\r\n` : '+OK\r\n');
}

const [wireName, operationName, port] = process.argv.slice(2);
const operation: Operation = operationName === 'get' ? 'get' : 'set';
const wire = wireName === 'redis' ? redisWire : memdbWire(() => undefined);
const { requestBytes } = wire.pool(operation, new Uint32Array(1));
const reply = wireName === 'redis' ? redisReply(operation) : memdbReply(operation);
const replies = Buffer.concat(Array.from({ length: REPLIES_MAX }, () => reply));

const server = createServer({ noDelay: true }, (socket) => {
  let pending = 0;
  socket.on('data', (bytes) => {
    pending += bytes.length;
    const count = Math.min(REPLIES_MAX, Math.floor(pending / requestBytes));
    pending -= count * requestBytes;
    if (count > 0) socket.write(replies.subarray(0, count * reply.length));
  });
  socket.on('error', () => socket.destroy());
});
server.listen(Number(port), '127.0.0.1', () => process.send?.('listening'));
process.on('disconnect', () => process.exit(0));
