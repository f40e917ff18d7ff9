import type { Address, Connection, ConnectionHandler } from '../../src/ports/transport.js';
import { SIM_EVENT, SimCall, SimEvent } from './sim-event.js';
import type { SimHost } from './sim-host.js';
import type { SimNetwork } from './sim-network.js';
import type { SimPipe } from './sim-pipe.js';
import { SimRetained } from './sim-retained.js';

/** As the real transport: how long an ended connection may make no progress. */
const LINGER_MS = 2000;

/** One end of a connection, as its process sees it. */
export class SimConnection implements Connection {
  readonly remote: Address;
  readonly host: SimHost;
  /** Towards the peer; undefined while the dial is under way. */
  out: SimPipe | undefined;
  /** From the peer. */
  inbound: SimPipe | undefined;
  handler: ConnectionHandler | undefined;
  opened = false;
  paused = false;
  closed = false;
  ended = false;
  readonly #network: SimNetwork;
  readonly #flush: SimFlush;
  #retained: SimRetained[] = [];
  #retainedBytes = 0;
  #closeWhenFlushed = false;

  constructor(network: SimNetwork, host: SimHost, remote: Address) {
    this.#network = network;
    this.host = host;
    this.remote = remote;
    this.#flush = new SimFlush(this);
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.closed || this.ended || start === end) return true;
    const { random, behaviour, faults } = this.#network;
    let taken = 0;
    if (this.opened && this.out !== undefined && this.#retained.length === 0) {
      taken = Math.min(end - start, this.out.room());
      if (random.chance(behaviour.retainChance)) {
        taken = random.below(taken);
        this.#flushAfter(random.between(0.05, 5));
      }
      if (taken > 0) this.out.send(bytes, start, start + taken);
    }
    if (taken === end - start) return true;
    faults.bump('write-retained');
    this.#retained.push(new SimRetained(bytes, start + taken, end));
    this.#retainedBytes += end - start - taken;
    return false;
  }

  retainedBytes(): number {
    return this.#retainedBytes;
  }

  pause(): void {
    if (!this.ended) this.paused = true;
  }

  resume(): void {
    if (this.ended || !this.paused) return;
    this.paused = false;
    this.inbound?.resume();
  }

  end(): void {
    if (this.closed || this.ended) return;
    this.ended = true;
    if (this.paused) {
      this.paused = false;
      this.inbound?.resume();
    }
    if (this.#retainedBytes === 0) this.out?.sendEnd();
    this.#linger(this.#retainedBytes);
  }

  destroy(): void {
    if (this.closed) return;
    // A socket closed with unread bytes resets the connection.
    const unread = this.inbound !== undefined && this.inbound.queuedBytes > 0;
    if (unread) this.out?.sendReset(this.#network.random.chance(0.5));
    else this.out?.sendEnd();
    this.#close(undefined);
  }

  /** The handshake is complete. */
  open(): void {
    if (this.closed) return;
    this.opened = true;
    if (this.#retainedBytes > 0) this.#flushAfter(0);
    if (this.ended && this.#retainedBytes === 0) this.out?.sendEnd();
    if (!this.ended) this.handler?.onOpen?.();
  }

  /** The peer sent its end after all its bytes: what is retained still leaves, then this side closes too. */
  peerEnded(): void {
    if (this.closed) return;
    if (this.#retainedBytes > 0) {
      this.ended = true;
      this.#closeWhenFlushed = true;
      this.#linger(this.#retainedBytes);
      return;
    }
    this.out?.sendEnd();
    this.#close(undefined);
  }

  /** Broken from outside: a reset, a timeout, a dial that failed. */
  fail(error: Error): void {
    if (!this.closed) this.#close(error);
  }

  /** The process died: nobody is called any more. */
  die(): void {
    this.closed = true;
    this.#dropRetained();
  }

  /** The peer's kernel has taken or acknowledged bytes. */
  roomMade(): void {
    if (this.#retainedBytes > 0 && !this.closed) this.#flushAfter(this.#network.random.between(0.02, 0.5));
  }

  /** Hands the kernel what it has room for. */
  flush(): void {
    const { out } = this;
    if (this.closed || out === undefined || this.#retainedBytes === 0) return;
    while (this.#retained.length > 0) {
      const head = this.#retained[0];
      const taken = Math.min(head.length, out.room());
      if (taken === 0) return;
      head.sendTo(out, taken, this.host.name);
      this.#retainedBytes -= taken;
      if (head.length === 0) this.#retained.shift();
    }
    if (this.ended) out.sendEnd();
    else this.handler?.onDrain?.();
    if (this.#closeWhenFlushed && !this.closed) this.#close(undefined);
  }

  #flushAfter(delayMs: number): void {
    const { scheduler } = this.#network;
    if (!this.#flush.scheduled) scheduler.schedule(this.#flush, scheduler.nowMs + delayMs);
  }

  #linger(retainedBefore: number): void {
    const { scheduler } = this.#network;
    const check = (): void => {
      if (this.closed) return;
      if (this.#retainedBytes > 0 && this.#retainedBytes < retainedBefore) this.#linger(this.#retainedBytes);
      else this.destroy();
    };
    scheduler.schedule(new SimCall(this.host, SIM_EVENT.close, check), scheduler.nowMs + LINGER_MS);
  }

  #close(error: Error | undefined): void {
    this.closed = true;
    this.ended = true;
    this.#dropRetained();
    this.#network.forget(this);
    const { scheduler } = this.#network;
    // What has arrived in the meantime finds a closed socket.
    this.inbound?.resume();
    scheduler.schedule(new SimCall(this.host, SIM_EVENT.close, () => this.handler?.onClose(error)), scheduler.nowMs);
  }

  #dropRetained(): void {
    this.#retained = [];
    this.#retainedBytes = 0;
  }
}

/** The kernel asks for what was retained. */
class SimFlush extends SimEvent {
  readonly #connection: SimConnection;

  constructor(connection: SimConnection) {
    super(connection.host, SIM_EVENT.drain);
    this.#connection = connection;
  }

  run(): void {
    this.#connection.flush();
  }
}
