import type { OutgoingBuffer, ServerHandshakeOptions, ServerHandshakeResult } from '@memdb/protocol';
import {
  FrameReader,
  flushTo,
  KEY_BYTES_HARD_MAX,
  maxFrameBytes,
  ProtocolError,
  ServerHandshake,
  VALUE_BYTES_HARD_MAX,
} from '@memdb/protocol';
import {
  HANDSHAKE_TIMEOUT_MS,
  SESSION_OUTPUT_MAX_BYTES,
  SESSION_OUTPUT_PAUSE_BYTES,
  SESSION_STALL_MS,
} from '../model/limits.js';
import type { LogLevel, Telemetry } from '../ports/telemetry.js';
import type { Connection, ConnectionHandler } from '../ports/transport.js';
import type { Turn } from '../ports/turn.js';
import type { InboundStream } from '../replication/inbound-stream.js';
import type { ReplyTarget } from '../replication/replies.js';
import type { OutgoingPool } from './outgoing-pool.js';

/** A request up to the largest that any node accepts is answered with the limit; beyond that the peer speaks nonsense. */
const SKIPPED_FRAME_BYTES_MAX: number = maxFrameBytes(KEY_BYTES_HARD_MAX, VALUE_BYTES_HARD_MAX);

/** What a connection is. Changed by `Session` only. */
export type SessionState =
  | { readonly kind: 'handshaking'; readonly handshake: ServerHandshake; readonly startedMs: number }
  | { readonly kind: 'open'; readonly peer: ServerHandshakeResult }
  | { readonly kind: 'closed' };

export interface SessionContext {
  readonly turn: Turn;
  readonly buffers: OutgoingPool;
  readonly telemetry: Telemetry;
  readonly handshake: () => ServerHandshakeOptions;
  readonly handshakeFrameBytes: number;
  readonly maxFrameBytes: (role: number) => number;
  /** A request of an authenticated peer. Throws `ProtocolError` when it is malformed. */
  readonly onRequest: (session: Session, bytes: Uint8Array, view: DataView, start: number, end: number) => void;
  /** Requests that have arrived and are handed over next; returns up to where it looked (see `FrameReader`). */
  readonly onAhead: (session: Session, bytes: Uint8Array, view: DataView, start: number, end: number) => number;
  /** A request too long to be read; its header stands at `start`. */
  readonly onTooLarge: (session: Session, view: DataView, start: number, frameBytes: number) => void;
  readonly onOpen: (session: Session, peer: ServerHandshakeResult) => void;
  readonly onClosed: (session: Session) => void;
  readonly onAuthenticationFailed: () => void;
}

/**
 * One incoming connection: handshake, frames in, replies out, and back-pressure. A peer that does not read its replies
 * is not read from either, and is disconnected when it goes on so.
 */
export class Session implements ConnectionHandler, ReplyTarget {
  readonly id: number;
  inflight = 0;
  closed = false;
  dirty = false;
  /** The stream of a peer node; undefined for clients. */
  stream: InboundStream | undefined;
  #state: SessionState;
  #out: OutgoingBuffer | undefined;
  #paused = false;
  #pausedMs = 0;
  readonly #connection: Connection;
  readonly #context: SessionContext;
  readonly #reader: FrameReader;

  constructor(id: number, connection: Connection, context: SessionContext) {
    this.id = id;
    this.#connection = connection;
    this.#context = context;
    const handshake = new ServerHandshake(context.handshake());
    this.#state = { kind: 'handshaking', handshake, startedMs: context.turn.nowMs };
    this.#reader = new FrameReader({
      maxFrameBytes: context.handshakeFrameBytes,
      onFrame: (bytes, view, start, end) => this.#onFrame(bytes, view, start, end),
      onAhead: (bytes, view, start, end) =>
        this.#state.kind === 'open' ? context.onAhead(this, bytes, view, start, end) : end,
      onFrameTooLarge: (view, start, frameBytes) => this.#onFrameTooLarge(view, start, frameBytes),
      skipFrameBytesMax: SKIPPED_FRAME_BYTES_MAX,
    });
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The role proved in the handshake; 0 before. */
  get role(): number {
    return this.#state.kind === 'open' ? this.#state.peer.role : 0;
  }

  /** Taken from the pool while something is to be sent: an idle connection holds no buffer. */
  get out(): OutgoingBuffer {
    this.#out ??= this.#context.buffers.take();
    return this.#out;
  }

  /** Of what comes through this connection. */
  get session(): object {
    return this;
  }

  get saturated(): boolean {
    return (this.#out?.end ?? 0) + this.#connection.retainedBytes() > SESSION_OUTPUT_MAX_BYTES;
  }

  onData(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (this.closed) return;
    try {
      this.#reader.push(bytes, view, start, end);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.close('warn', 'session-malformed', error.message);
    }
  }

  onDrain(): void {
    this.#resumeWhenDrained();
  }

  onClose(error?: Error): void {
    if (!this.closed) this.#ended('debug', 'session-ended', error?.message ?? 'closed by the peer');
  }

  flush(): void {
    if (this.#out === undefined) return;
    if (this.closed) this.#out.clear();
    else flushTo(this.#out, this.#connection);
    this.#context.buffers.give(this.#out);
    this.#out = undefined;
    if (this.closed) return;
    if (this.#connection.retainedBytes() > SESSION_OUTPUT_PAUSE_BYTES && !this.#paused) {
      this.#paused = true;
      this.#pausedMs = this.#context.turn.nowMs;
      this.#connection.pause();
    }
  }

  /** Closes connections that do not authenticate, or do not read, within their time. */
  sweep(nowMs: number): void {
    if (this.#state.kind === 'handshaking' && nowMs - this.#state.startedMs > HANDSHAKE_TIMEOUT_MS) {
      this.close('warn', 'session-silent', `no authentication within ${HANDSHAKE_TIMEOUT_MS} ms`);
    } else if (this.#paused && nowMs - this.#pausedMs > SESSION_STALL_MS) {
      this.close('warn', 'session-stalled', `took no replies for ${SESSION_STALL_MS} ms`);
    }
  }

  /** Closes the connection at once; the reason goes to the log. */
  close(level: LogLevel, event: string, reason: string): void {
    if (this.closed) return;
    this.#ended(level, event, reason);
    this.#connection.destroy();
  }

  /** Sends what was answered, then closes. */
  end(): void {
    if (this.closed) return;
    this.flush();
    this.#ended('debug', 'session-ended', 'the node is stopping');
    this.#connection.end();
  }

  #ended(level: LogLevel, event: string, reason: string): void {
    const { remote } = this.#connection;
    this.closed = true;
    this.#reader.stop();
    this.#context.telemetry.log(level, event, { session: this.id, remote: `${remote.host}:${remote.port}`, reason });
    this.#state = { kind: 'closed' };
    this.#context.onClosed(this);
  }

  #resumeWhenDrained(): void {
    if (!this.#paused || this.closed) return;
    this.#paused = false;
    this.#connection.resume();
  }

  #onFrame(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (this.#state.kind === 'open') this.#context.onRequest(this, bytes, view, start, end);
    else if (this.#state.kind === 'handshaking') this.#onHandshake(this.#state.handshake, bytes, view, start, end);
  }

  /** Told and skipped, so that the other requests of the connection go on. */
  #onFrameTooLarge(view: DataView, start: number, frameBytes: number): void {
    if (this.#state.kind === 'open') this.#context.onTooLarge(this, view, start, frameBytes);
    else this.close('warn', 'session-malformed', `a frame of ${frameBytes} bytes before authentication`);
  }

  #onHandshake(handshake: ServerHandshake, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const step = handshake.onFrame(bytes, view, start, end, this.out);
    this.flush();
    switch (step.kind) {
      case 'continue':
        return;
      case 'failed': {
        // A node whose directory is a copy did prove its key.
        if (step.code !== 'duplicate-node' && step.code !== 'same-node') this.#context.onAuthenticationFailed();
        this.#ended('warn', 'session-refused', step.reason);
        this.#connection.end();
        return;
      }
      case 'done':
        this.#reader.setMaxFrameBytes(this.#context.maxFrameBytes(step.result.role));
        this.#state = { kind: 'open', peer: step.result };
        this.#context.onOpen(this, step.result);
        return;
    }
  }
}
