import { connect, type Socket } from 'node:net';
import type { Histogram } from './histogram.js';
import type { RequestPool } from './request-pool.js';
import type { Opening, ReplyReader, Wire } from './wire.js';

/** Room in front of the shared receive buffer for the part of a reply that the last read left over. */
const HEADROOM = 4096;
const RECEIVE_BYTES = 262_144;
/** Outstanding requests of a connection whose intended start is known; a power of two that divides a pool's length. */
const INTENDED_SLOTS = 1024;

/**
 * One buffer for all connections of a generator: a read is taken apart before the next one begins, and what is left of
 * an incomplete reply is kept by its connection and put back in front of what follows.
 */
export class ReceiveBuffer {
  readonly bytes: Buffer = Buffer.allocUnsafeSlow(HEADROOM + RECEIVE_BYTES);
  readonly view: DataView = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  readonly target: Buffer = this.bytes.subarray(HEADROOM);
}

/** Decides what a connection sends when replies arrived. */
export interface Load {
  /** `count` replies arrived on `connection`. */
  replied(connection: LoadConnection, count: number): void;
  failed(error: Error): void;
}

/** One socket of the generator. Everything from `onBytes` to `send` is hot. */
export class LoadConnection {
  /** The request that goes out next, as an index into the pool. */
  sendCursor = 0;
  /** The request whose reply comes next, on protocols that keep the order. */
  receiveCursor = 0;
  outstanding = 0;
  /** When the outstanding request was sent, for loads of depth 1. */
  sentAt = 0;
  /** HTTP/2: the next stream id. */
  nextStream = 1;
  /** Set for a load with a set rate: latency of every reply, from the intended start of its request. */
  latency: Histogram | undefined;
  load: Load;
  pool: RequestPool | undefined;
  reader: ReplyReader | undefined;

  private readonly socket: Socket;
  private readonly receive: ReceiveBuffer;
  private readonly wire: Wire;
  private readonly stash: Buffer = Buffer.allocUnsafeSlow(HEADROOM);
  private stashed = 0;
  private scratch: Buffer = Buffer.alloc(0);
  private readonly intendedAt: Float64Array = new Float64Array(INTENDED_SLOTS);
  private opening: Opening | undefined;
  private onOpen: (() => void) | undefined;

  constructor(port: number, wire: Wire, receive: ReceiveBuffer, load: Load, onOpen: () => void) {
    this.wire = wire;
    this.receive = receive;
    this.load = load;
    this.onOpen = onOpen;
    this.opening = wire.opening();
    this.socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: receive.target, callback: (bytes) => this.onBytes(bytes) },
    });
    this.socket.on('connect', () => this.opened());
    this.socket.on('error', (error) => this.load.failed(error));
    this.socket.on('close', () => this.load.failed(new Error('the server closed a connection')));
  }

  /** Sends the next `count` requests of the pool. */
  send(count: number): void {
    const pool = this.pool as RequestPool;
    const requests = pool.slice(this.sendCursor, count);
    this.sendCursor += count;
    if (this.sendCursor >= pool.length) this.sendCursor -= pool.length;
    this.outstanding += count;
    if (this.wire.patch === undefined) this.socket.write(requests);
    else this.sendPatched(requests, count, this.wire.patch);
  }

  /** As `send(1)`, for a request that should have left at `intendedAt` (milliseconds of `performance.now`). */
  sendIntended(intendedAt: number): void {
    this.intendedAt[this.sendCursor & (INTENDED_SLOTS - 1)] = intendedAt;
    this.send(1);
  }

  /** Whether one more request would overwrite the intended start of an outstanding one. */
  get full(): boolean {
    return this.outstanding >= INTENDED_SLOTS;
  }

  /** Called by readers for the reply to request `index`, when `latency` is set. */
  completed(index: number): void {
    this.latency?.record(performance.now() - this.intendedAt[index & (INTENDED_SLOTS - 1)]);
  }

  /** Bytes that are not requests (acknowledgements of the protocol). */
  sendControl(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  close(): void {
    this.socket.removeAllListeners('close');
    this.socket.destroy();
  }

  private sendPatched(requests: Buffer, count: number, patch: NonNullable<Wire['patch']>): void {
    // The kernel takes a request of a few hundred bytes at once, so the copy is free again after the write; a socket
    // that holds bytes back gets a fresh copy.
    if (this.scratch.length < requests.length || this.socket.writableLength > 0) {
      this.scratch = Buffer.allocUnsafeSlow(requests.length);
    }
    requests.copy(this.scratch);
    patch(this.scratch, count, this);
    this.socket.write(this.scratch.subarray(0, requests.length));
  }

  private opened(): void {
    const first = this.opening?.start();
    if (first !== undefined) this.socket.write(first);
    if (this.opening === undefined) this.finishOpening();
  }

  private finishOpening(): void {
    this.opening = undefined;
    const done = this.onOpen;
    this.onOpen = undefined;
    done?.();
  }

  private onBytes(count: number): boolean {
    if (this.opening !== undefined) {
      this.receiveOpening(this.opening, count);
      return true;
    }
    const { bytes, view } = this.receive;
    const start = HEADROOM - this.stashed;
    if (this.stashed > 0) this.stash.copy(bytes, start, 0, this.stashed);
    const end = HEADROOM + count;
    const before = this.receiveCursor;
    const consumed = (this.reader as ReplyReader).read(bytes, view, start, end, this);
    this.stashed = end - consumed;
    if (this.stashed > 0) bytes.copy(this.stash, 0, consumed, end);
    const replies = this.receiveCursor - before;
    const pool = this.pool as RequestPool;
    if (this.receiveCursor >= pool.length) this.receiveCursor -= pool.length;
    if (replies > 0) {
      this.outstanding -= replies;
      this.load.replied(this, replies);
    }
    return true;
  }

  private receiveOpening(opening: Opening, count: number): void {
    try {
      const step = opening.receive(Buffer.from(this.receive.target.subarray(0, count)));
      if (step.send !== undefined) this.socket.write(step.send);
      if (step.done) this.finishOpening();
    } catch (error) {
      this.load.failed(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
