import { connect as connectSocket, type OnReadOpts, type Socket, type TcpSocketConnectOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Address, Connection, ConnectionHandler, Transport } from '../core/ports.js';

/** What `tls` of the connect options may say beyond true; the names are those of `node:tls`. */
export interface TlsOptions {
  /** Certificates of the authorities that sign the nodes' certificates, PEM. Default: those of Node.js. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** The name expected in the certificate when it differs from the host that is dialled. */
  readonly servername?: string;
  /** false accepts any certificate: for experiments only. */
  readonly rejectUnauthorized?: boolean;
}

/** Bytes read at once: a full turn of 64 replies of 100 bytes on each of several nodes fits many times over. */
const RECEIVE_BYTES = 256 * 1024;
/** Room in front of what is read, into which a partial frame is moved. */
const HEADROOM_BYTES = 64 * 1024;

/**
 * TCP and TLS sockets. All TCP sockets of one transport share one receive buffer (`onread`): the kernel's bytes are
 * handed on inside the same call that read them, so no socket ever sees another's, and nothing is allocated per read.
 * TLS sockets deliver buffers of their own, which are copied behind the same headroom.
 */
export function createTransport(tls: TlsOptions | undefined): Transport {
  const receive = createReceiveBuffer();
  return {
    connect: (address: Address, handler: ConnectionHandler): Connection =>
      tls === undefined ? dialPlain(address, handler, receive) : dialTls(address, handler, receive, tls),
  };
}

interface ReceiveBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly target: Uint8Array;
}

function createReceiveBuffer(): ReceiveBuffer {
  const memory = new ArrayBuffer(HEADROOM_BYTES + RECEIVE_BYTES);
  return {
    bytes: new Uint8Array(memory),
    view: new DataView(memory),
    target: new Uint8Array(memory, HEADROOM_BYTES),
  };
}

function dialPlain(address: Address, handler: ConnectionHandler, receive: ReceiveBuffer): Connection {
  const onread: OnReadOpts = {
    buffer: receive.target,
    callback: (count: number): boolean => {
      handler.onData(receive.bytes, receive.view, HEADROOM_BYTES, HEADROOM_BYTES + count);
      return true;
    },
  };
  const options: TcpSocketConnectOpts = { host: address.host, port: address.port, noDelay: true, onread };
  const socket = connectSocket(options);
  socket.once('connect', () => handler.onOpen?.());
  return wrap(socket, handler);
}

function dialTls(address: Address, handler: ConnectionHandler, receive: ReceiveBuffer, tls: TlsOptions): Connection {
  const options: ConnectionOptions = { ...(tls as ConnectionOptions), host: address.host, port: address.port };
  const socket = connectTls(options);
  socket.setNoDelay(true);
  socket.once('secureConnect', () => handler.onOpen?.());
  socket.on('data', (chunk: Uint8Array) => {
    for (let at = 0; at < chunk.length && !socket.destroyed; at += RECEIVE_BYTES) {
      const part = chunk.subarray(at, at + RECEIVE_BYTES);
      receive.target.set(part);
      handler.onData(receive.bytes, receive.view, HEADROOM_BYTES, HEADROOM_BYTES + part.length);
    }
  });
  return wrap(socket, handler);
}

function wrap(socket: Socket, handler: ConnectionHandler): Connection {
  let failure: Error | undefined;
  socket.on('error', (error: Error) => {
    failure = error;
  });
  socket.on('drain', () => handler.onDrain?.());
  socket.once('close', () => handler.onClose(failure));
  return {
    write(bytes: Uint8Array, start: number, end: number): boolean {
      if (socket.destroyed) return true;
      socket.write(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start));
      // Nothing is left in the stream: the kernel has taken it all, and nobody holds on to the buffer.
      return socket.writableLength === 0;
    },
    retainedBytes: () => socket.writableLength,
    end: () => {
      socket.end();
    },
    destroy: () => {
      socket.destroy();
    },
  };
}
