import type { ClientHandshakeOptions, ClientHandshakeResult, MemDbError } from '@memdb/protocol';
import {
  ClientHandshake,
  FRAME_HEADER_BYTES,
  FrameReader,
  flushTo,
  frameCounter,
  Opcode,
  OutgoingBuffer,
  writeFrameHeader,
} from '@memdb/protocol';
import type { LamportClock } from '../model/lamport-clock.js';
import { PEER_RETAINED_BYTES_MAX } from '../model/limits.js';
import { formatAddress } from '../ports/address.js';
import type { Random } from '../ports/random.js';
import type { Telemetry } from '../ports/telemetry.js';
import type { Timer, Timers } from '../ports/timers.js';
import type { Address, Connection, ConnectionHandler, Transport } from '../ports/transport.js';
import type { Turn } from '../ports/turn.js';

/** What a link is doing. Changed by `PeerLink.#become` only. */
export type LinkState =
  | { readonly kind: 'waiting'; readonly timer: Timer }
  | { readonly kind: 'dialing' }
  | { readonly kind: 'handshaking' }
  | { readonly kind: 'up'; readonly peer: ClientHandshakeResult }
  | { readonly kind: 'closed' };

export interface PeerLinkEvents {
  /** The peer proved its key; frames may be sent. */
  onUp(link: PeerLink, peer: ClientHandshakeResult): void;
  /** The connection ended; the link dials again by itself. Called only after `onUp`. */
  onDown(link: PeerLink, reason: string): void;
  /**
   * The handshake failed. `peer` is what the other side proved to be, if it had: otherwise anybody could have said this.
   */
  onRefused?(link: PeerLink, error: MemDbError, peer: ClientHandshakeResult | undefined): void;
  /** A reply of the peer arrived; offsets as in `FrameReader`. */
  onFrame(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): void;
}

export interface PeerLinkContext {
  readonly timers: Timers;
  readonly random: Random;
  readonly transport: Transport;
  readonly telemetry: Telemetry;
  readonly turn: Turn;
  readonly lamport: LamportClock;
  /** The epoch this node is in, carried by every frame; 0 before founding. */
  readonly epoch: () => number;
  readonly maxFrameBytes: () => number;
  readonly handshake: () => ClientHandshakeOptions;
}

/** First and last wait between two attempts to dial, in milliseconds; each wait is jittered to 50–100 %. */
const REDIAL_MS_MIN = 50;
const REDIAL_MS_MAX = 1000;
/** A dial or handshake that takes longer is given up. */
const ESTABLISH_TIMEOUT_MS = 3000;

/** One authenticated outgoing connection to a peer, kept up for ever: it dials again whenever it ends. */
export class PeerLink implements ConnectionHandler {
  readonly out: OutgoingBuffer = new OutgoingBuffer();
  /** When something last arrived, monotonic milliseconds. */
  heardMs = 0;
  /** When a sign of life was asked for that has not come, monotonic milliseconds; 0 while none is owed. */
  askedMs = 0;
  /** Number of the member at the other end; 0 while it is only an address. */
  readonly number: number;
  #state: LinkState = { kind: 'closed' };
  readonly #whereIs: () => Address;
  #address: Address | undefined;
  #complained = '';
  #connection: Connection | undefined;
  #reader: FrameReader | undefined;
  #handshake: ClientHandshake | undefined;
  #establishTimer: Timer | undefined;
  #redialMs = REDIAL_MS_MIN;
  #correlation = 0;
  readonly #context: PeerLinkContext;
  readonly #events: PeerLinkEvents;

  constructor(number: number, address: () => Address, context: PeerLinkContext, events: PeerLinkEvents) {
    this.number = number;
    this.#whereIs = address;
    this.#context = context;
    this.#events = events;
  }

  get state(): LinkState {
    return this.#state;
  }

  get isUp(): boolean {
    return this.#state.kind === 'up';
  }

  /** Features that both sides have; none while the link is down. */
  get features(): number {
    return this.#state.kind === 'up' ? this.#state.peer.features : 0;
  }

  /** Where the peer was dialed last. */
  get address(): Address {
    this.#address ??= this.#whereIs();
    return this.#address;
  }

  /** Who is at the other end; undefined while the link is down. */
  get peer(): ClientHandshakeResult | undefined {
    return this.#state.kind === 'up' ? this.#state.peer : undefined;
  }

  /** Starts to dial. */
  open(): void {
    if (this.#state.kind === 'closed') this.#dial();
  }

  /** The peer is there, or elsewhere, as somebody says: a link that waits to dial again does so now. */
  hurry(): void {
    if (this.#state.kind !== 'waiting') return;
    this.#context.timers.stop(this.#state.timer);
    this.#redialMs = REDIAL_MS_MIN;
    this.#dial();
  }

  /** Ends the link for good, at once. */
  close(): void {
    this.#end(() => this.#connection?.destroy());
  }

  /** Ends the link for good; what was begun still leaves. */
  end(): void {
    this.flush();
    this.#end(() => this.#connection?.end());
  }

  #end(closeConnection: () => void): void {
    const previous = this.#state;
    this.#state = { kind: 'closed' };
    if (previous.kind === 'waiting') this.#context.timers.stop(previous.timer);
    this.#stopEstablishTimer();
    closeConnection();
    if (previous.kind === 'up') this.#events.onDown(this, 'closed by this node');
  }

  /** Drops the connection (the peer sent nonsense, or stopped answering) and dials again. */
  reset(reason: string): void {
    if (this.#connection === undefined || this.#state.kind === 'closed') return;
    this.#context.telemetry.log('warn', 'peer-link-reset', { peer: this.number, reason });
    this.#connection.destroy();
  }

  /** A correlation id for a request whose reply is matched by the caller. */
  nextCorrelation(): number {
    this.#correlation = (this.#correlation + 1) >>> 0;
    return this.#correlation;
  }

  /**
   * Begins a frame of `bodyBytes` and returns the offset of its body in `out`, to be filled at once; it leaves at the
   * end of the turn. Only while the link is up.
   */
  begin(opcode: number, flags: number, correlation: number, deadlineMs: number, bodyBytes: number): number {
    const { turn, lamport, epoch } = this.#context;
    const offset = this.out.reserve(FRAME_HEADER_BYTES + bodyBytes);
    writeFrameHeader(
      this.out.view,
      offset,
      bodyBytes,
      opcode,
      flags,
      correlation,
      deadlineMs,
      lamport.current,
      epoch(),
    );
    turn.wake();
    return offset + FRAME_HEADER_BYTES;
  }

  /** Asks for a sign of life, which any answer is. Only while the link is up. */
  ask(): void {
    this.begin(Opcode.ping, 0, 0, 0, 0);
    if (this.askedMs === 0) this.askedMs = this.#context.turn.nowMs;
  }

  /** End of turn: everything begun leaves in one write. */
  flush(): void {
    if (this.out.end === 0) return;
    if (this.#connection === undefined || !this.isUp) {
      this.out.clear();
      return;
    }
    flushTo(this.out, this.#connection);
    if (this.#connection.retainedBytes() > PEER_RETAINED_BYTES_MAX) this.reset('the peer stopped reading');
  }

  /** Bytes on their way that the kernel has not taken. */
  get retainedBytes(): number {
    return this.#connection?.retainedBytes() ?? 0;
  }

  onOpen(): void {
    if (this.#state.kind !== 'dialing') return;
    this.#state = { kind: 'handshaking' };
    this.#handshake = new ClientHandshake(this.#context.handshake());
    this.#reader = new FrameReader({
      maxFrameBytes: this.#context.maxFrameBytes(),
      onFrame: (bytes, view, start, end) => this.#onFrame(bytes, view, start, end),
    });
    this.#handshake.start(this.out);
    this.#send();
  }

  onData(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    this.heardMs = this.#context.turn.nowMs;
    this.askedMs = 0;
    try {
      this.#reader?.push(bytes, view, start, end);
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'ProtocolError') throw error;
      this.reset(`the peer sent a malformed frame: ${error.message}`);
    }
  }

  onClose(error?: Error): void {
    this.#stopEstablishTimer();
    this.#connection = undefined;
    this.#reader = undefined;
    this.out.clear();
    const previous = this.#state;
    if (previous.kind === 'closed') return;
    const waitMs = this.#redialMs * (0.5 + this.#context.random.uint32() / 2 ** 33);
    this.#redialMs = Math.min(this.#redialMs * 2, REDIAL_MS_MAX);
    this.#state = { kind: 'waiting', timer: this.#context.timers.start(waitMs, () => this.#dial()) };
    if (previous.kind === 'up') this.#events.onDown(this, error?.message ?? 'connection closed');
  }

  #dial(): void {
    this.#state = { kind: 'dialing' };
    this.askedMs = 0;
    this.#address = this.#whereIs();
    this.#establishTimer = this.#context.timers.start(ESTABLISH_TIMEOUT_MS, () => this.#connection?.destroy());
    this.#connection = this.#context.transport.connect(this.#address, this);
  }

  #onFrame(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (this.#state.kind === 'up') {
      this.#context.lamport.observe(frameCounter(view, start));
      this.#events.onFrame(this, bytes, view, start, end);
      return;
    }
    if (this.#state.kind !== 'handshaking' || this.#handshake === undefined) return;
    const step = this.#handshake.onFrame(bytes, view, start, end, this.out);
    this.#send();
    if (step.kind === 'continue') return;
    if (step.kind === 'failed') {
      this.#complain(step.error);
      this.#redialMs = REDIAL_MS_MAX;
      this.#connection?.destroy();
      this.#events.onRefused?.(this, step.error, step.peer);
      return;
    }
    this.#stopEstablishTimer();
    this.#redialMs = REDIAL_MS_MIN;
    this.#complained = '';
    this.#handshake = undefined;
    this.#context.lamport.observe(frameCounter(view, start));
    this.#state = { kind: 'up', peer: step.result };
    this.#events.onUp(this, step.result);
  }

  /** Says once what is wrong, and again only when it changes: the link dials again and again. */
  #complain({ message, code }: MemDbError): void {
    if (this.#complained === message) return;
    this.#complained = message;
    const address = formatAddress(this.address);
    const level = code === 'same-node' ? 'debug' : 'error';
    this.#context.telemetry.log(level, 'peer-handshake-failed', { peer: this.number, address, code, message });
  }

  #send(): void {
    if (this.#connection !== undefined) flushTo(this.out, this.#connection);
  }

  #stopEstablishTimer(): void {
    if (this.#establishTimer !== undefined) this.#context.timers.stop(this.#establishTimer);
    this.#establishTimer = undefined;
  }
}
