import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Address } from '../ports/transport.js';

/** What the endpoints report. A string is the reason why not; undefined means yes. */
export interface HealthCallbacks {
  live(): string | undefined;
  ready(): string | undefined;
  /** Prometheus text. */
  metrics(): Promise<string>;
}

/** A probe sends a few hundred bytes. */
const HEADER_BYTES_MAX = 8 * 1024;
/** Time to send a whole request; slower ones are cut off. */
const REQUEST_TIMEOUT_MS = 5000;
const KEEP_ALIVE_MS = 15_000;
/** Probes come from a handful of places; more connections than this are refused. */
const CONNECTIONS_MAX = 64;
/** How often the timeouts above are looked at. */
const CHECK_INTERVAL_MS = 1000;

/**
 * `/livez`, `/readyz` and `/metrics` over HTTP, for probes and Prometheus. A reason not to be live or ready answers
 * 503 with that sentence.
 */
export class HttpHealth {
  readonly #callbacks: HealthCallbacks;
  readonly #server: Server;

  constructor(callbacks: HealthCallbacks) {
    this.#callbacks = callbacks;
    this.#server = createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        requestTimeout: REQUEST_TIMEOUT_MS,
        headersTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connectionsCheckingInterval: CHECK_INTERVAL_MS,
      },
      (request, response) => this.#answer(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Resolves with the bound address (port 0 is replaced); rejects when it cannot be bound. */
  listen(address: Address): Promise<Address> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(address.port, address.host, () => {
        this.#server.off('error', reject);
        const bound = this.#server.address();
        const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
        resolve({ host: address.host, port });
      });
    });
  }

  /** Stops listening and closes all connections. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // No endpoint takes a body.
    request.resume();
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      reply(response, 405, 'only GET and HEAD are understood here\n');
      return;
    }
    const path = (request.url ?? '/').split('?', 1)[0];
    switch (path) {
      case '/livez':
        replyState(response, this.#callbacks.live());
        return;
      case '/readyz':
        replyState(response, this.#callbacks.ready());
        return;
      case '/metrics':
        this.#replyMetrics(response);
        return;
      default:
        reply(response, 404, 'here are /livez, /readyz and /metrics\n');
    }
  }

  #replyMetrics(response: ServerResponse): void {
    this.#callbacks.metrics().then(
      (text) => reply(response, 200, text, 'text/plain; version=0.0.4; charset=utf-8'),
      (error: unknown) => reply(response, 500, `the metrics could not be collected: ${String(error)}\n`),
    );
  }
}

function replyState(response: ServerResponse, reason: string | undefined): void {
  if (reason === undefined) reply(response, 200, 'ok\n');
  else reply(response, 503, `${reason}\n`);
}

function reply(
  response: ServerResponse,
  status: number,
  text: string,
  type: string = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  // Node.js leaves the body out of the answer to HEAD.
  response.end(text);
}
