import type { Socket } from 'node:net';
import type { Address, Connection, ConnectionHandler } from '../ports/transport.js';
import type { ReceiveSink } from './shared-receive.js';

const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * A connection over any stream socket, TCP or TLS. Made first, so that the socket can deliver into it; `attach` ties
 * the two together.
 */
export class SocketConnection implements Connection, ReceiveSink {
  readonly remote: Address;
  readonly #lingerMs: number;
  #socket: Socket | undefined;
  #handler: ConnectionHandler | undefined;
  #ended = false;
  #drainPending = false;
  #error: Error | undefined;

  /** `lingerMs`: how long a connection that was ended may make no progress before it is destroyed. */
  constructor(remote: Address, lingerMs: number) {
    this.remote = remote;
    this.#lingerMs = lingerMs;
  }

  /** Call once, in the turn in which the socket was made. */
  attach(socket: Socket): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    socket.once('end', () => this.#peerEnded(socket));
    socket.once('close', () => this.#closed());
  }

  /** Everything that happens from now on goes to `handler`. Call in the same turn as `attach`. */
  deliverTo(handler: ConnectionHandler): void {
    this.#handler = handler;
  }

  /** Hot: once per read. `bench -- node` watches it. */
  receive(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (!this.#ended) this.#handler?.onData(bytes, view, start, end);
  }

  opened(): void {
    if (!this.#ended) this.#handler?.onOpen?.();
  }

  /** Hot: once per turn and connection. `bench -- node` watches it. */
  write(bytes: Uint8Array, start: number, end: number): boolean {
    const socket = this.#socket;
    if (socket === undefined || this.#ended || end === start) return true;
    socket.write(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start));
    // A stream that has nothing to write handed it all to the kernel before `write` returned.
    if (socket.writableLength === 0) return true;
    if (!this.#drainPending) this.#awaitDrain(socket);
    return false;
  }

  retainedBytes(): number {
    return this.#socket === undefined || this.#socket.destroyed ? 0 : this.#socket.writableLength;
  }

  pause(): void {
    if (!this.#ended) this.#socket?.pause();
  }

  resume(): void {
    if (!this.#ended) this.#socket?.resume();
  }

  /**
   * The peer is given `lingerMs` to take what is left and to close its side. Until then what it sends is read and
   * dropped: closing with unread bytes would make the kernel reset the connection, and the peer could lose our last
   * words, such as the reason why it is refused.
   */
  end(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#ended) return;
    this.#ended = true;
    socket.resume();
    socket.setTimeout(this.#lingerMs, () => socket.destroy());
    socket.once('finish', () => {
      const timer = setTimeout(() => socket.destroy(), this.#lingerMs);
      socket.once('close', () => clearTimeout(timer));
    });
    socket.end();
  }

  destroy(): void {
    this.#ended = true;
    this.#socket?.destroy();
  }

  /** The stream tells when it has room again, not when it is empty; the callback of an empty write does. */
  #awaitDrain(socket: Socket): void {
    this.#drainPending = true;
    socket.write(NOTHING, (error) => {
      this.#drainPending = false;
      if (error || this.#ended || socket.destroyed) return;
      if (socket.writableLength > 0) this.#awaitDrain(socket);
      else this.#handler?.onDrain?.();
    });
  }

  /** The stream closes by itself once it has written what is left; a peer that takes none of it is not waited for. */
  #peerEnded(socket: Socket): void {
    if (this.#ended) return;
    this.#ended = true;
    socket.setTimeout(this.#lingerMs, () => socket.destroy());
  }

  #closed(): void {
    this.#ended = true;
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.onClose(this.#error);
  }
}
