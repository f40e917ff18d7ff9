import { createServer, type Server, Socket } from 'node:net';
import type { Address, Connection, ConnectionHandler, Listener, Transport } from '../ports/transport.js';
import { receiveChunks, SharedReceive } from './shared-receive.js';
import { SocketConnection } from './socket-connection.js';

/** Connections that wait to be accepted; the kernel caps it at net.core.somaxconn. */
const BACKLOG = 1024;
/** After this much silence the kernel asks whether the other side still exists. */
const KEEP_ALIVE_DELAY_MS = 30_000;
/** Enough for a peer on another continent to acknowledge the end of a connection. */
const LINGER_MS = 2000;

export interface TcpTransportOptions {
  /** Tells that a connection could not be accepted (out of file descriptors, usually). */
  readonly acceptFailed?: (error: Error) => void;
  /** `chunks` takes the plain way that is otherwise the fallback: a buffer per read. Default `shared`. */
  readonly receive?: 'shared' | 'chunks';
  /** How long a connection that was ended may make no progress before it is destroyed. Default 2000. */
  readonly lingerMs?: number;
}

/** `Transport` over TCP. */
export class TcpTransport implements Transport {
  readonly #shared: SharedReceive | undefined;
  readonly #acceptFailed: (error: Error) => void;
  readonly #lingerMs: number;

  constructor(options: TcpTransportOptions = {}) {
    this.#shared = options.receive === 'chunks' ? undefined : new SharedReceive();
    this.#acceptFailed = options.acceptFailed ?? (() => {});
    this.#lingerMs = options.lingerMs ?? LINGER_MS;
  }

  listen(
    address: Address,
    accept: (connection: Connection) => ConnectionHandler,
    ready: (error: Error | undefined, bound: Address) => void,
  ): Listener {
    const server = createServer({ pauseOnConnect: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS });
    const listener = new TcpListener(server);
    server.on('connection', (socket) => this.#accept(socket, accept));
    server.once('error', (error) => ready(error, address));
    server.once('listening', () => {
      server.removeAllListeners('error');
      server.on('error', this.#acceptFailed);
      if (!listener.listening()) return;
      ready(undefined, boundAddress(server, address));
    });
    server.listen({ host: address.host, port: address.port, backlog: BACKLOG });
    return listener;
  }

  connect(address: Address, handler: ConnectionHandler): Connection {
    const connection = new SocketConnection(address, this.#lingerMs);
    const socket = this.#shared?.socket(connection) ?? new Socket();
    if (this.#shared === undefined) receiveChunks(socket, connection);
    connection.attach(socket);
    connection.deliverTo(handler);
    socket.once('connect', () => {
      socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
      connection.opened();
    });
    try {
      socket.connect({ host: address.host, port: address.port });
    } catch (error) {
      // An address that came from somebody else may be nonsense, such as a port above 65535.
      socket.destroy(error instanceof Error ? error : new Error(String(error)));
    }
    return connection;
  }

  #accept(accepted: Socket, accept: (connection: Connection) => ConnectionHandler): void {
    // Both are unknown when the peer has gone already.
    const remote: Address = { host: accepted.remoteAddress ?? '', port: accepted.remotePort ?? 0 };
    const connection = new SocketConnection(remote, this.#lingerMs);
    const adopted = this.#shared?.adopt(accepted, connection);
    connection.attach(adopted ?? accepted);
    if (adopted === undefined) {
      receiveChunks(accepted, connection);
      accepted.resume();
    }
    connection.deliverTo(accept(connection));
  }
}

class TcpListener implements Listener {
  readonly #server: Server;
  #closed = false;

  constructor(server: Server) {
    this.#server = server;
  }

  close(done?: () => void): void {
    this.#closed = true;
    // Closes the socket at once; the callback that the server offers waits for all connections as well.
    this.#server.close();
    if (done !== undefined) setImmediate(done);
  }

  /** False when it was closed while the name of its host was still being looked up. */
  listening(): boolean {
    if (this.#closed) this.#server.close();
    return !this.#closed;
  }
}

function boundAddress(server: Server, asked: Address): Address {
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? { host: asked.host, port: bound.port } : asked;
}
