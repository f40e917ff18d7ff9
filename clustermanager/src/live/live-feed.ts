import { type WebSocket, WebSocketServer } from 'ws';
import type { ApiContext } from '../api/context.js';
import type { Principal } from '../auth/tokens.js';
import { describeCluster, describeNodes } from '../cluster/describe.js';
import { VIEWER_BYTES_MAX, VIEWER_SILENCE_MS, VIEWERS_MAX } from '../limits.js';
import type { UpgradeRequest, UpgradeSocket } from '../platform/http-listener.js';

/** The one subprotocol; a second one carries the token, since browsers can send no header with a WebSocket. */
const PROTOCOL = 'memdb.live.v1';
const TOKEN_PREFIX = 'token.';
const PATH = '/live';
/** Close code, of the range for applications: log in again. */
const TOKEN_EXPIRED = 4401;

interface Viewer {
  /** Monotonic milliseconds. */
  readonly heardAtMs: number;
  /** Unix milliseconds at which its token expires. */
  readonly untilMs: number;
}

/**
 * The WebSocket `/live`: events as they happen, and each second how the cluster and its nodes are. A viewer names the last
 * event that it saw (`?after=CURSOR`) and gets what came after it, or is told that some of it is gone. One that does not
 * read as fast as it is told is dropped: it comes back with its cursor.
 */
export class LiveFeed {
  readonly #context: Omit<ApiContext, 'audit' | 'idempotent'>;
  readonly #server: WebSocketServer;
  readonly #viewers: Map<WebSocket, Viewer> = new Map();
  readonly #stopListening: () => void;

  constructor(context: Omit<ApiContext, 'audit' | 'idempotent'>) {
    this.#context = context;
    this.#server = new WebSocketServer({
      noServer: true,
      // Viewers send nothing.
      maxPayload: 1024,
      perMessageDeflate: false,
      handleProtocols: () => PROTOCOL,
    });
    this.#stopListening = context.events.listen((event) => this.#broadcast({ type: 'event', event }));
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** An HTTP request that wants to become a WebSocket. */
  onUpgrade(request: UpgradeRequest, socket: UpgradeSocket, head: Buffer): void {
    const url = new URL(request.url ?? '/', 'http://manager');
    if (url.pathname !== PATH && url.pathname !== `/api/v1${PATH}`) refuse(socket, '404 Not Found');
    else if (this.viewers >= VIEWERS_MAX) refuse(socket, '503 Service Unavailable');
    else {
      const principal = this.#authenticate(request);
      if (principal === undefined) refuse(socket, '401 Unauthorized');
      else {
        const after = url.searchParams.get('after');
        this.#server.handleUpgrade(request, socket, head, (viewer) => this.#begin(viewer, principal, after));
      }
    }
  }

  /** The nodes were looked at: every viewer learns what was seen. */
  tick(): void {
    const nowMs = this.#context.world.monotonicMs();
    const wallMs = this.#context.world.wallMs();
    for (const [viewer, { heardAtMs, untilMs }] of this.#viewers) {
      if (wallMs >= untilMs) viewer.close(TOKEN_EXPIRED, 'the token has expired');
      else if (nowMs - heardAtMs > VIEWER_SILENCE_MS) viewer.terminate();
      else viewer.ping();
    }
    if (this.viewers > 0) this.#broadcast(this.#state());
  }

  close(): void {
    this.#stopListening();
    for (const viewer of this.#viewers.keys()) viewer.terminate();
    this.#server.close();
  }

  #authenticate(request: UpgradeRequest): Principal | undefined {
    const { tokens, world } = this.#context;
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    const inProtocol = offered.find((name) => name.startsWith(TOKEN_PREFIX))?.slice(TOKEN_PREFIX.length);
    const inHeader = /^bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const token = inProtocol ?? inHeader;
    return token === undefined ? undefined : tokens.verify(token, world.wallMs());
  }

  #begin(viewer: WebSocket, { expiresAtMs }: Principal, after: string | null): void {
    const { world, events } = this.#context;
    const facts = { heardAtMs: world.monotonicMs(), untilMs: expiresAtMs ?? Number.POSITIVE_INFINITY };
    this.#viewers.set(viewer, facts);
    const heard = (): void => {
      facts.heardAtMs = world.monotonicMs();
    };
    viewer.on('pong', heard);
    viewer.on('message', heard);
    viewer.on('close', () => this.#viewers.delete(viewer));
    viewer.on('error', () => viewer.terminate());
    const missed = after === null ? undefined : events.after(after);
    const isComplete = missed !== undefined;
    this.#send(viewer, { type: 'hello', cursor: events.cursor, complete: isComplete, events: missed ?? events.recent });
    this.#send(viewer, this.#state());
  }

  #state(): object {
    const { options, watcher, link, world } = this.#context;
    const nowMs = world.wallMs();
    return {
      type: 'state',
      cluster: describeCluster(watcher, { name: options.clusterName, lastError: link.lastError, nowMs }),
      nodes: describeNodes(watcher, nowMs),
      sample: watcher.rates.latest ?? null,
    };
  }

  #broadcast(message: object): void {
    const text = JSON.stringify(message);
    for (const viewer of this.#viewers.keys()) this.#sendText(viewer, text);
  }

  #send(viewer: WebSocket, message: object): void {
    this.#sendText(viewer, JSON.stringify(message));
  }

  #sendText(viewer: WebSocket, text: string): void {
    if (viewer.bufferedAmount > VIEWER_BYTES_MAX) viewer.terminate();
    else viewer.send(text);
  }
}

function refuse(socket: UpgradeSocket, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
