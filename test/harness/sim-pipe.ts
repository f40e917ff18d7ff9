import type { SimConnection } from './sim-connection.js';
import { SIM_EVENT, SimCall, SimEvent } from './sim-event.js';
import type { SimLink } from './sim-link.js';
import type { SimNetwork } from './sim-network.js';

/** Smallest buffer of a pipe. */
const BUFFER_BYTES_MIN = 4096;

/**
 * One direction of a connection: bytes between the sender's kernel and the receiver's handler, in order. Its event
 * is the delivery of what has arrived. The end of the stream follows the last byte; a reset may overtake them.
 */
export class SimPipe extends SimEvent {
  readonly source: SimConnection;
  readonly target: SimConnection;
  /** Bytes that may be under way; beyond them the sender's writes are retained. */
  readonly windowBytes: number;
  readonly #network: SimNetwork;
  readonly #link: SimLink;
  readonly #back: SimLink;
  #bytes: Uint8Array = new Uint8Array(BUFFER_BYTES_MIN);
  #head = 0;
  #tail = 0;
  /** Totals of bytes ever sent at which a message ends, and when that message arrives. */
  #messageEnds: number[] = [];
  #messageMs: number[] = [];
  #sent = 0;
  #received = 0;
  /** Delivered, but the acknowledgement could not come back. */
  #unacknowledged = 0;
  #lastArrivalMs = 0;
  #ending: 'none' | 'end' | 'reset' = 'none';
  #stall: SimCall | undefined;

  constructor(network: SimNetwork, source: SimConnection, target: SimConnection, link: SimLink, back: SimLink) {
    super(target.host, SIM_EVENT.data);
    this.#network = network;
    this.source = source;
    this.target = target;
    this.#link = link;
    this.#back = back;
    this.windowBytes = network.random.pick([4096, 65_536, 65_536, 262_144, 1_048_576]);
  }

  get queuedBytes(): number {
    return this.#tail - this.#head;
  }

  room(): number {
    return Math.max(0, this.windowBytes - this.queuedBytes - this.#unacknowledged);
  }

  /** Nothing arrives before `atMs`: the handshake comes first. */
  notBefore(atMs: number): void {
    this.#lastArrivalMs = atMs;
  }

  send(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    this.#bytes.set(bytes.subarray(start, end), this.#tail);
    this.#tail += end - start;
    this.#sent += end - start;
    const arrivalMs = this.#nextArrivalMs(end - start);
    const last = this.#messageMs.length - 1;
    if (last >= 0 && this.#messageMs[last] === arrivalMs) {
      this.#messageEnds[last] = this.#sent;
      this.#network.faults.bump('chunks-joined');
    } else {
      this.#messageEnds.push(this.#sent);
      this.#messageMs.push(arrivalMs);
    }
    this.#arm(arrivalMs);
  }

  /** The sender is done: the end follows what is under way. */
  sendEnd(): void {
    if (this.#ending !== 'none') return;
    this.#ending = 'end';
    this.#arm(this.#nextArrivalMs());
  }

  /** The sender broke off. With `dropping`, what is under way is lost. */
  sendReset(dropping: boolean): void {
    if (this.#ending === 'reset') return;
    this.#ending = 'reset';
    if (dropping) this.#drop();
    this.#arm(this.#nextArrivalMs());
  }

  /** The receiver reads again. */
  resume(): void {
    if (this.queuedBytes > 0 || this.#ending !== 'none') this.#arm(this.#network.scheduler.nowMs);
  }

  /** The acknowledgements that a cut held back are in. */
  acknowledged(): void {
    if (this.#unacknowledged === 0) return;
    this.#unacknowledged = 0;
    this.source.roomMade();
  }

  /** The sender has heard nothing for too long. */
  #giveUp(): void {
    this.#drop();
    this.source.fail(new Error('ETIMEDOUT: the connection timed out'));
  }

  override run(): void {
    if (this.#link.held) {
      this.#holdUp();
      return;
    }
    if (this.#stall !== undefined) {
      this.#network.scheduler.cancel(this.#stall);
      this.#stall = undefined;
    }
    const target = this.target;
    if (target.closed) {
      // A closed socket answers data with a reset; an end finds nobody and is forgotten.
      if (this.queuedBytes > 0) {
        this.#drop();
        target.out?.sendReset(true);
      }
      return;
    }
    if (target.paused) return;
    const available = this.#arrivedBytes();
    if (available > 0) this.#deliver(available);
    if (target.closed || target.paused) {
      if (target.closed && (this.queuedBytes > 0 || this.#ending !== 'none')) this.#arm(this.#network.scheduler.nowMs);
      return;
    }
    if (this.queuedBytes > 0) this.#arm(this.#messageMs[0]);
    else if (this.#ending !== 'none') this.#finish();
  }

  #deliver(available: number): void {
    const { random, faults, behaviour } = this.#network;
    if (random.chance(behaviour.resetChance)) {
      this.#network.reset(this.target);
      return;
    }
    let count = Math.min(available, this.#network.chunkBytesMax);
    if (count > 1 && random.chance(behaviour.splitChance)) {
      faults.bump('chunk-split');
      count = 1 + random.below(random.chance(0.3) ? Math.min(16, count - 1) : count - 1);
    }
    const start = this.#head;
    this.#head += count;
    this.#received += count;
    let messages = 0;
    while (messages < this.#messageEnds.length && this.#messageEnds[messages] <= this.#received) messages++;
    if (messages > 0) {
      this.#messageEnds.splice(0, messages);
      this.#messageMs.splice(0, messages);
    }
    if (this.#back.held) this.#unacknowledged += count;
    this.#network.deliver(this.target, this.#bytes, start, start + count);
    if (this.#head === this.#tail) {
      this.#head = 0;
      this.#tail = 0;
    }
    if (!this.#back.held) this.source.roomMade();
  }

  #finish(): void {
    const ending = this.#ending;
    this.#ending = 'none';
    if (ending === 'end') {
      this.target.peerEnded();
    } else {
      this.#network.faults.bump('connection-reset');
      this.target.fail(new Error('ECONNRESET: the connection was reset by the peer'));
    }
  }

  #arrivedBytes(): number {
    const nowMs = this.#network.scheduler.nowMs;
    let arrived = this.#received;
    for (let index = 0; index < this.#messageMs.length && this.#messageMs[index] <= nowMs; index++) {
      arrived = this.#messageEnds[index];
    }
    return arrived - this.#received;
  }

  /** Held by the link: waits there, and after a while the sender loses patience. */
  #holdUp(): void {
    const { faults, random, scheduler, behaviour } = this.#network;
    faults.bump('bytes-held-by-cut');
    this.#link.hold(this);
    if (this.#stall !== undefined) scheduler.cancel(this.#stall);
    this.#stall = new SimCall(this.source.host, SIM_EVENT.close, () => this.#giveUp());
    const patienceMs = random.between(behaviour.stallTimeoutMsMin, behaviour.stallTimeoutMsMax);
    scheduler.schedule(this.#stall, scheduler.nowMs + patienceMs);
  }

  #nextArrivalMs(bytes = 0): number {
    const arrivalMs = this.#network.scheduler.nowMs + this.#link.latencyMs(bytes);
    if (arrivalMs > this.#lastArrivalMs) this.#lastArrivalMs = arrivalMs;
    return this.#lastArrivalMs;
  }

  #arm(atMs: number): void {
    if (!this.scheduled) this.#network.scheduler.schedule(this, atMs);
  }

  #drop(): void {
    if (this.queuedBytes > 0) this.#network.faults.bump('bytes-lost', this.queuedBytes);
    this.#received = this.#sent;
    this.#head = 0;
    this.#tail = 0;
    this.#messageEnds = [];
    this.#messageMs = [];
  }

  #reserve(bytes: number): void {
    if (this.#tail + bytes <= this.#bytes.length) return;
    const queued = this.queuedBytes;
    const target =
      queued + bytes <= this.#bytes.length
        ? this.#bytes
        : new Uint8Array(Math.max(queued + bytes, this.#bytes.length * 2));
    target.set(this.#bytes.subarray(this.#head, this.#tail));
    this.#bytes = target;
    this.#head = 0;
    this.#tail = queued;
  }
}
