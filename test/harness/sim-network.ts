import type { Address, Connection, ConnectionHandler } from '../../src/ports/transport.js';
import { SimConnection } from './sim-connection.js';
import { SIM_EVENT, SimCall } from './sim-event.js';
import type { SimFaultCounters } from './sim-faults.js';
import type { SimHost } from './sim-host.js';
import { NETWORK_BEHAVIOUR, SimLink, type SimNetworkBehaviour } from './sim-link.js';
import { SimPipe } from './sim-pipe.js';
import type { SimRandom } from './sim-random.js';
import type { SimScheduler } from './sim-scheduler.js';
import type { SimTrace } from './sim-trace.js';

/** As the real transport: room in front of what arrives, and the most that arrives at once. */
const HEADROOM_BYTES_MAX = 64 * 1024;
const CHUNK_BYTES_MAX = 256 * 1024;
const EPHEMERAL_PORT_FIRST = 40_000;
/** What a receive buffer is filled with after the call in which it was valid. */
const STALE = 0xa5;

export interface SimListening {
  readonly host: SimHost;
  readonly accept: (connection: Connection) => ConnectionHandler;
}

/** All links, listeners and connections of one world. */
export class SimNetwork {
  readonly behaviour: SimNetworkBehaviour = { ...NETWORK_BEHAVIOUR };
  readonly chunkBytesMax: number = CHUNK_BYTES_MAX;
  readonly scheduler: SimScheduler;
  readonly trace: SimTrace;
  readonly random: SimRandom;
  readonly faults: SimFaultCounters;
  readonly #links: Map<string, SimLink> = new Map();
  readonly #listening: Map<string, SimListening> = new Map();
  /** Which node listened at an address last: where a dial to it is sent. */
  readonly #owners: Map<string, string> = new Map();
  readonly #down: Set<string> = new Set();
  readonly #connections: Set<SimConnection> = new Set();
  readonly #received: Uint8Array = new Uint8Array(HEADROOM_BYTES_MAX + CHUNK_BYTES_MAX);
  readonly #view: DataView = new DataView(this.#received.buffer);
  #nextPort = EPHEMERAL_PORT_FIRST;

  constructor(scheduler: SimScheduler, trace: SimTrace, random: SimRandom, faults: SimFaultCounters) {
    this.scheduler = scheduler;
    this.trace = trace;
    this.random = random;
    this.faults = faults;
  }

  link(from: string, to: string): SimLink {
    const key = `${from}>${to}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = new SimLink(from, to, this.scheduler, this.random.fork(key), this.behaviour, this.faults);
      if (this.#down.has(to)) link.setDown(true);
      this.#links.set(key, link);
    }
    return link;
  }

  /** Heals every link. */
  heal(): void {
    for (const link of this.#links.values()) this.healLink(link);
  }

  healLink(link: SimLink): void {
    link.heal();
    for (const connection of this.#connections) {
      if (connection.host.name === link.from) connection.inbound?.acknowledged();
    }
  }

  /** Returns the bound address, or undefined when somebody listens there already. */
  listen(address: Address, listening: SimListening): Address | undefined {
    const bound = address.port === 0 ? { host: address.host, port: this.#nextPort++ } : address;
    const key = keyOf(bound);
    if (this.#listening.get(key)?.host.alive) return undefined;
    this.#listening.set(key, listening);
    this.#owners.set(key, listening.host.name);
    return bound;
  }

  unlisten(address: Address, listening: SimListening): void {
    if (this.#listening.get(keyOf(address)) === listening) this.#listening.delete(keyOf(address));
  }

  dial(host: SimHost, address: Address, handler: ConnectionHandler): SimConnection {
    const connection = new SimConnection(this, host, address);
    connection.handler = handler;
    this.#connections.add(connection);
    const target = this.#owners.get(keyOf(address)) ?? 'nobody';
    const request = this.link(host.name, target);
    const arrive = new SimCall(undefined, SIM_EVENT.dial, () => {
      if (!host.alive) return;
      if (request.held) request.hold(arrive);
      else this.#arrive(connection, address, target);
    });
    this.scheduler.schedule(arrive, this.scheduler.nowMs + request.latencyMs());
    const giveUp = new SimCall(host, SIM_EVENT.close, () => {
      if (connection.opened || connection.closed) return;
      this.faults.bump('dial-timed-out');
      connection.fail(new Error(`ETIMEDOUT: no answer from ${keyOf(address)}`));
    });
    this.scheduler.schedule(giveUp, this.scheduler.nowMs + this.behaviour.dialTimeoutMs);
    return connection;
  }

  /** Hands bytes to the handler of a connection, in the shared buffer that is valid during the call only. */
  deliver(target: SimConnection, bytes: Uint8Array, start: number, end: number): void {
    this.trace.bytes(bytes, start, end);
    if (target.ended) return;
    const choice = this.random.below(8);
    const headroom = choice < 2 ? 0 : choice < 4 ? 1 + this.random.below(64) : HEADROOM_BYTES_MAX;
    const last = headroom + end - start;
    this.#received.set(bytes.subarray(start, end), headroom);
    target.handler?.onData(this.#received, this.#view, headroom, last);
    this.#received.fill(STALE, headroom, last);
  }

  /** Breaks a connection at both ends. */
  reset(connection: SimConnection): void {
    this.faults.bump('connection-reset');
    const peer = connection.inbound?.source;
    connection.fail(new Error('ECONNRESET: the connection was reset'));
    peer?.fail(new Error('ECONNRESET: the connection was reset'));
  }

  /** Breaks all connections between two nodes. */
  resetBetween(one: string, other: string): void {
    for (const connection of [...this.#connections]) {
      const peer = connection.inbound?.source.host.name;
      if (connection.host.name === one && peer === other) this.reset(connection);
    }
  }

  forget(connection: SimConnection): void {
    this.#connections.delete(connection);
  }

  /** A process died. Unless its machine went down with it, its kernel closes what it had open. */
  died(host: SimHost, machineDown: boolean): void {
    if (machineDown) this.#setDown(host.name, true);
    for (const connection of [...this.#connections]) {
      if (connection.host !== host) continue;
      this.#connections.delete(connection);
      connection.die();
      if (connection.inbound !== undefined) connection.inbound.host = undefined;
      if (machineDown) {
        // The other end hears nothing of it.
        if (connection.opened) this.faults.bump('half-open');
        continue;
      }
      if (this.random.chance(0.5)) connection.out?.sendReset(this.random.chance(0.5));
      else connection.out?.sendEnd();
    }
  }

  /** The machine of a node runs again. */
  started(name: string): void {
    this.#setDown(name, false);
  }

  #setDown(name: string, down: boolean): void {
    if (down) this.#down.add(name);
    else if (!this.#down.delete(name)) return;
    for (const link of this.#links.values()) if (link.to === name) link.setDown(down);
  }

  /** A request for a connection reaches the machine it is meant for. */
  #arrive(dialler: SimConnection, address: Address, target: string): void {
    const answer = this.link(target, dialler.host.name);
    const listening = this.#listening.get(keyOf(address));
    const answerMs = this.scheduler.nowMs + answer.latencyMs();
    if (listening === undefined || !listening.host.alive) {
      const refuse = new SimCall(dialler.host, SIM_EVENT.close, () => {
        if (answer.held) return answer.hold(refuse);
        if (dialler.closed) return;
        this.faults.bump('dial-refused');
        dialler.fail(new Error(`ECONNREFUSED: nobody listens at ${keyOf(address)}`));
      });
      this.scheduler.schedule(refuse, answerMs);
      return;
    }
    const accept = new SimCall(listening.host, SIM_EVENT.accept, () => this.#accept(dialler, listening, answer));
    this.scheduler.schedule(accept, this.scheduler.nowMs);
  }

  #accept(dialler: SimConnection, listening: SimListening, answer: SimLink): void {
    const remote = { host: dialler.host.name, port: this.#nextPort++ };
    const accepted = new SimConnection(this, listening.host, remote);
    const there = this.link(dialler.host.name, listening.host.name);
    dialler.out = new SimPipe(this, dialler, accepted, there, answer);
    dialler.inbound = new SimPipe(this, accepted, dialler, answer, there);
    accepted.out = dialler.inbound;
    accepted.inbound = dialler.out;
    accepted.opened = true;
    this.#connections.add(accepted);
    if (dialler.closed) dialler.out.sendReset(true);
    const openMs = this.scheduler.nowMs + answer.latencyMs();
    dialler.inbound.notBefore(openMs);
    const open = new SimCall(dialler.host, SIM_EVENT.open, () => {
      if (answer.held) answer.hold(open);
      else dialler.open();
    });
    this.scheduler.schedule(open, openMs);
    accepted.handler = listening.accept(accepted);
  }
}

function keyOf(address: Address): string {
  return `${address.host}:${address.port}`;
}
