import type { ServerHandshakeOptions, ServerHandshakeResult } from '@memdb/protocol';
import { EPOCH_FRAME_BYTES_MAX, frameOpcode, HANDSHAKE_FRAME_BYTES_MAX, maxFrameBytes, Role } from '@memdb/protocol';
import { STREAM_RUN_BYTES_MAX, SWEEP_INTERVAL_MS } from '../model/limits.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Timer, Timers } from '../ports/timers.js';
import type { Address, Connection, Listener, Transport } from '../ports/transport.js';
import type { Turn } from '../ports/turn.js';
import { type AdminRequests, isAdminOpcode } from './admin-requests.js';
import type { ClientRequests, RequestLimits } from './client-requests.js';
import type { Lookahead } from './lookahead.js';
import { OutgoingPool } from './outgoing-pool.js';
import type { PeerRequests } from './peer-requests.js';
import { Session } from './session.js';

export interface ServerOptions {
  readonly transport: Transport;
  readonly timers: Timers;
  readonly turn: Turn;
  readonly telemetry: Telemetry;
  readonly handshake: () => ServerHandshakeOptions;
  readonly limits: () => RequestLimits & { readonly connectionsMax: number };
  readonly clientRequests: ClientRequests;
  readonly adminRequests: AdminRequests;
  readonly lookahead: Lookahead;
  readonly peerRequests: () => PeerRequests;
  /** A peer node proved its key on an incoming connection. */
  readonly onPeer: (peer: ServerHandshakeResult) => void;
}

/** Accepts connections and keeps their sessions. */
export class Server {
  readonly #options: ServerOptions;
  readonly #sessions = new Set<Session>();
  readonly #accepted: Counter;
  readonly #refused: Counter;
  readonly #unauthenticated: Counter;
  #listener: Listener | undefined;
  #timer: Timer | undefined;
  #nextId = 1;
  readonly #buffers: OutgoingPool = new OutgoingPool();

  constructor(options: ServerOptions) {
    this.#options = options;
    const { telemetry } = options;
    this.#accepted = telemetry.counter('connections_accepted_total', 'Connections accepted.');
    this.#refused = telemetry.counter('connections_refused_total', 'Connections refused at limits.max_connections.');
    this.#unauthenticated = telemetry.counter('authentication_failures_total', 'Handshakes that did not prove a key.');
    telemetry.gauge('connections', 'Open connections.', () => this.#sessions.size);
  }

  /** Starts to accept; `ready` gets the bound address, or why the address cannot be used. */
  listen(address: Address, ready: (error: Error | undefined, bound: Address) => void): void {
    this.#listener = this.#options.transport.listen(address, (connection) => this.#accept(connection), ready);
    this.#sweep();
  }

  get sessions(): ReadonlySet<Session> {
    return this.#sessions;
  }

  /** Stops accepting; open connections stay. */
  stopAccepting(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }

  /** Sends what was answered and closes every connection. */
  stop(): void {
    this.stopAccepting();
    if (this.#timer !== undefined) this.#options.timers.stop(this.#timer);
    for (const session of this.#sessions) session.end();
  }

  /** The own log is durable up to `lsn`: peers' streams are acknowledged. */
  onDurable(lsn: number): void {
    for (const session of this.#sessions) session.stream?.onDurable(lsn);
  }

  #accept(connection: Connection): Session {
    const { turn, telemetry, handshake, clientRequests, adminRequests, peerRequests, onPeer, lookahead } =
      this.#options;
    const session = new Session(this.#nextId++, connection, {
      turn,
      telemetry,
      handshake,
      buffers: this.#buffers,
      handshakeFrameBytes: HANDSHAKE_FRAME_BYTES_MAX,
      maxFrameBytes: (role) => this.#frameBytesFor(role),
      onRequest: (session, bytes, view, start, end) => {
        const { role } = session;
        if (role === Role.node) peerRequests().onRequest(session, bytes, view, start, end);
        else if (role === Role.admin && isAdminOpcode(frameOpcode(view, start))) {
          adminRequests.onRequest(session, bytes, view, start, end);
        } else clientRequests.onRequest(session, bytes, view, start, end);
      },
      onAhead: (session, bytes, view, start, end) =>
        session.role === Role.node ? end : lookahead.look(bytes, view, start, end),
      onTooLarge: (session, view, start, frameBytes) => clientRequests.onTooLarge(session, view, start, frameBytes),
      onOpen: (_session, peer) => {
        if (peer.role === Role.node) onPeer(peer);
      },
      onClosed: (session) => this.#sessions.delete(session),
      onAuthenticationFailed: () => this.#unauthenticated.value++,
    });
    this.#sessions.add(session);
    const { connectionsMax } = this.#options.limits();
    if (this.#sessions.size > connectionsMax) {
      this.#refused.value++;
      session.close('warn', 'session-refused', `limits.max_connections (${connectionsMax}) is reached`);
    } else this.#accepted.value++;
    return session;
  }

  #frameBytesFor(role: number): number {
    const { keyBytesMax, valueBytesMax } = this.#options.limits();
    const frameBytes = maxFrameBytes(keyBytesMax, valueBytesMax);
    if (role !== Role.node) return frameBytes;
    // A run of records, or an epoch that is proposed.
    return Math.max(frameBytes + STREAM_RUN_BYTES_MAX, STREAM_RUN_BYTES_MAX * 2, EPOCH_FRAME_BYTES_MAX);
  }

  readonly #sweep = (): void => {
    const { turn, timers } = this.#options;
    for (const session of this.#sessions) session.sweep(turn.nowMs);
    this.#timer = timers.start(SWEEP_INTERVAL_MS * 25, this.#sweep);
  };
}
