import { KEY_BYTES, keyText, VALUE_BYTES, valueText } from './key-space.js';
import type { LoadConnection } from './load-connection.js';
import { type Operation, RequestPool } from './request-pool.js';
import type { Opening, ReplyReader, Wire } from './wire.js';

/**
 * etcd's gRPC API (`KV/Put`, `KV/Range`) over HTTP/2 (RFC 9113) with frames and protobuf encoded beforehand, so that
 * the client costs etcd's machine as little as the other generators cost theirs. A request is one HEADERS and one DATA
 * frame whose stream ids are patched in; a reply is counted at its END_STREAM.
 */
export const etcdWire: Wire = { pool, reader: () => new EtcdReader(), opening: () => new EtcdOpening(), patch };

const FRAME_HEADER = 9;
const FrameType = { data: 0, headers: 1, settings: 4, ping: 6, goaway: 7, windowUpdate: 8 } as const;
const END_STREAM = 1;
const END_HEADERS = 4;
const ACKNOWLEDGED = 1;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
/** The connection may carry 2^30 more bytes of replies: enough for a run, so the window is never renewed. */
const WINDOW_INCREMENT = 2 ** 30;

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(FRAME_HEADER);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** HPACK (RFC 7541) without dynamic entries: the bytes are the same for every request. */
function requestHeaders(path: string): Buffer {
  const literal = (prefix: number[], text: string): Buffer =>
    Buffer.concat([Buffer.from([...prefix, text.length]), Buffer.from(text)]);
  return Buffer.concat([
    Buffer.from([0x83, 0x86]), // :method POST, :scheme http
    literal([0x04], path), // :path
    literal([0x01], '127.0.0.1'), // :authority
    literal([0x0f, 0x10], 'application/grpc'), // content-type
    Buffer.from([0x00, 2]),
    Buffer.from('te'),
    literal([], 'trailers'),
  ]);
}

/** PutRequest { key = 1, value = 2 } or RangeRequest { key = 1 }, in gRPC's five-byte envelope. */
function message(operation: Operation, key: number): Buffer {
  const fields = [Buffer.from([0x0a, KEY_BYTES]), Buffer.from(keyText(key))];
  if (operation === 'set') fields.push(Buffer.from([0x12, VALUE_BYTES]), Buffer.from(valueText(key)));
  const body = Buffer.concat(fields);
  const envelope = Buffer.alloc(5);
  envelope.writeUInt32BE(body.length, 1);
  return Buffer.concat([envelope, body]);
}

function headersFrame(operation: Operation): Buffer {
  const path = `/etcdserverpb.KV/${operation === 'set' ? 'Put' : 'Range'}`;
  return frame(FrameType.headers, END_HEADERS, 0, requestHeaders(path));
}

function pool(operation: Operation, order: Uint32Array): RequestPool {
  const headers = headersFrame(operation);
  const dataBytes = FRAME_HEADER + message(operation, 0).length;
  const keyOffset = headers.length + FRAME_HEADER + 5 + 2;
  return new RequestPool(operation, order, headers.length + dataBytes, keyOffset, (bytes, offset, _index, key) => {
    headers.copy(bytes, offset);
    frame(FrameType.data, END_STREAM, 0, message(operation, key)).copy(bytes, offset + headers.length);
  });
}

function patch(bytes: Buffer, count: number, connection: LoadConnection): void {
  let at = 0;
  for (let request = 0; request < count; request++) {
    for (let part = 0; part < 2; part++) {
      bytes.writeUInt32BE(connection.nextStream, at + 5);
      at += FRAME_HEADER + bytes.readUIntBE(at, 3);
    }
    connection.nextStream += 2;
  }
}

class EtcdOpening implements Opening {
  private received: Buffer = Buffer.alloc(0);

  start(): Uint8Array {
    // SETTINGS_HEADER_TABLE_SIZE = 0: the server encodes every header block without a table.
    const settings = frame(FrameType.settings, 0, 0, Buffer.from([0, 1, 0, 0, 0, 0]));
    const increment = Buffer.alloc(4);
    increment.writeUInt32BE(WINDOW_INCREMENT);
    return Buffer.concat([Buffer.from(PREFACE), settings, frame(FrameType.windowUpdate, 0, 0, increment)]);
  }

  receive(bytes: Buffer): { send: Uint8Array | undefined; done: boolean } {
    this.received = Buffer.concat([this.received, bytes]);
    let acknowledged = false;
    let at = 0;
    while (this.received.length - at >= FRAME_HEADER) {
      const length = this.received.readUIntBE(at, 3);
      if (this.received.length - at < FRAME_HEADER + length) break;
      if (this.received[at + 3] === FrameType.goaway) throw new Error('etcd refused the connection (GOAWAY)');
      if (this.received[at + 3] === FrameType.settings && this.received[at + 4] === ACKNOWLEDGED) acknowledged = true;
      at += FRAME_HEADER + length;
    }
    // The server's own SETTINGS comes before its acknowledgement of ours.
    const send = acknowledged ? frame(FrameType.settings, ACKNOWLEDGED, 0, Buffer.alloc(0)) : undefined;
    return { send, done: acknowledged };
  }
}

class EtcdReader implements ReplyReader {
  errors = 0;
  mismatches = 0;
  private messages = 0;

  read(bytes: Buffer, _view: DataView, start: number, end: number, connection: LoadConnection): number {
    let at = start;
    while (end - at >= FRAME_HEADER) {
      const length = bytes.readUIntBE(at, 3);
      const next = at + FRAME_HEADER + length;
      if (next > end) break;
      const type = bytes[at + 3];
      const flags = bytes[at + 4];
      if (type === FrameType.data) this.messages++;
      else if (type === FrameType.headers && (flags & END_STREAM) !== 0) {
        // A reply with a message succeeded; an error of gRPC is trailers alone.
        if (this.messages === 0) this.errors++;
        else this.messages--;
        connection.receiveCursor++;
      } else if (type === FrameType.settings && (flags & ACKNOWLEDGED) === 0) {
        connection.sendControl(frame(FrameType.settings, ACKNOWLEDGED, 0, Buffer.alloc(0)));
      } else if (type === FrameType.ping && (flags & ACKNOWLEDGED) === 0) {
        const opaque = Buffer.from(bytes.subarray(at + FRAME_HEADER, next));
        connection.sendControl(frame(FrameType.ping, ACKNOWLEDGED, 0, opaque));
      } else if (type === FrameType.goaway) this.errors++;
      at = next;
    }
    return at;
  }
}
