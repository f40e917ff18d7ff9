import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { Address } from '@memdb/client';
import { CHECK_INTERVAL_MS, CONNECTIONS_MAX, HEADER_BYTES_MAX, KEEP_ALIVE_MS, REQUEST_TIMEOUT_MS } from '../limits.js';
import type { ManagerOptions } from '../options.js';

/** An HTTP request that wants to become something else, and its connection. */
export type UpgradeRequest = IncomingMessage;
export type UpgradeSocket = Duplex;

export interface HttpListenerOptions {
  readonly tls: ManagerOptions['tls'];
  readonly answer: (request: Request, environment: object) => Response | Promise<Response>;
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** HTTP/1.1, with or without TLS, with a bound on everything that a peer can make large or slow. */
export class HttpListener {
  readonly #server: Server;

  constructor({ tls, answer, onUpgrade }: HttpListenerOptions) {
    const limits = {
      maxHeaderSize: HEADER_BYTES_MAX,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    };
    const listener = getRequestListener((request, environment) => answer(request, environment));
    const handle = (...[request, response]: Parameters<typeof listener>): void => void listener(request, response);
    this.#server = tls === undefined ? createServer(limits, handle) : createTlsServer({ ...limits, ...tls }, handle);
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on('upgrade', onUpgrade);
  }

  /** Resolves with the bound address (port 0 is replaced); rejects when it cannot be bound. */
  listen({ host, port }: Address): Promise<Address> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        const bound = this.#server.address();
        resolve({ host, port: typeof bound === 'object' && bound !== null ? bound.port : port });
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}
