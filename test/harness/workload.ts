import { keyHash } from '@memdb/protocol';
import type { Node } from '../../src/node.js';
import { BareClient, type BareReply, LEVEL } from './bare-client.js';
import { History, orderOf, type SeenStamp, type WriteEvent } from './history.js';
import { SIM_PORT, type SimCluster } from './sim-cluster.js';
import type { SimPorts, SimWorld } from './sim-world.js';

export interface WorkloadOptions {
  readonly clients: number;
  readonly keys: readonly string[];
  /** Mean time between two requests of one client. */
  readonly intervalMs: number;
  readonly valueBytesMax: number;
}

const TIMEOUT_MS = 1000;
/** Requests of one client that have no answer. */
const PENDING_MAX = 16;
const REPLIES_ALL = 255;

interface ClientState {
  readonly ports: SimPorts;
  readonly connections: Map<string, BareClient>;
  /** Carries its session token from node to node; the others have one token for each connection. */
  readonly session: boolean;
  token: number;
  pending: number;
}

interface Asked {
  readonly connection: BareClient;
  /** Whom the connection leads to, and the process that ran there then. */
  readonly name: string;
  readonly node: Node;
  readonly what: string;
  answered: boolean;
}

/** Clients that read and write at random while faults happen, and keep what they saw. */
export class Workload {
  readonly history: History = new History();
  /** Broken promises that show at once, at the moment of an answer. */
  readonly broken: string[] = [];
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #options: WorkloadOptions;
  readonly #clients: ClientState[] = [];
  readonly #asked: Asked[] = [];
  #untilMs = 0;

  constructor(world: SimWorld, cluster: SimCluster, options: WorkloadOptions) {
    this.#world = world;
    this.#cluster = cluster;
    this.#options = options;
    for (let index = 0; index < options.clients; index++) {
      this.#clients.push({
        ports: world.createPorts(`client-${index}`),
        connections: new Map(),
        session: index % 2 === 0,
        token: 0,
        pending: 0,
      });
    }
  }

  /** Lets every client ask until a moment of the world. */
  run(untilMs: number): void {
    this.#untilMs = untilMs;
    for (const client of this.#clients) this.#next(client);
  }

  /** Requests that were never answered although the connection and both its ends live. */
  unanswered(): string[] {
    const lives = (asked: Asked): boolean =>
      !asked.connection.closed && this.#cluster.node(asked.name) === asked.node && this.#world.isRunning(asked.name);
    return this.#asked.filter((asked) => !asked.answered && lives(asked)).map((asked) => asked.what);
  }

  #next(client: ClientState): void {
    const { random } = this.#world;
    const pauseMs = -Math.log(1 - random.unit()) * this.#options.intervalMs;
    const atMs = this.#world.nowMs + pauseMs;
    if (atMs > this.#untilMs) return;
    this.#world.at(atMs, () => {
      // A few requests back to back are pipelined on one connection.
      const burst = random.chance(0.1) ? 1 + random.below(6) : 1;
      const name = random.pick(this.#cluster.names);
      const connection = this.#connection(client, name);
      for (let count = 0; count < burst; count++) {
        if (connection !== undefined && client.pending < PENDING_MAX) this.#request(client, name, connection);
      }
      this.#next(client);
    });
  }

  #connection(client: ClientState, name: string): BareClient | undefined {
    const known = client.connections.get(name);
    if (known !== undefined && !known.closed) return known.ready ? known : undefined;
    client.connections.set(name, new BareClient(client.ports, { host: name, port: SIM_PORT }));
    return undefined;
  }

  #request(client: ClientState, name: string, connection: BareClient): void {
    const { random } = this.#world;
    const { keys } = this.#options;
    // Half of all requests go to the first few keys.
    const key = random.chance(0.5) ? keys[random.below(Math.min(4, keys.length))] : random.pick(keys);
    if (client.session) connection.counter = client.token;
    client.pending++;
    const dice = random.below(20);
    if (dice < 10) this.#write(client, name, connection, key, dice < 8);
    else this.#read(client, name, connection, key, dice < 17);
  }

  #write(client: ClientState, name: string, connection: BareClient, key: string, isSet: boolean): void {
    const { random } = this.#world;
    const { history } = this;
    const level = random.pick([LEVEL.quorum, LEVEL.quorum, LEVEL.quorum, LEVEL.quorum, LEVEL.all, LEVEL.one]);
    const id = history.writes.length;
    const bytes = random.chance(0.1) ? random.below(this.#options.valueBytesMax) : random.below(100);
    const value = isSet ? `${id}:`.padEnd(bytes, 'x') : undefined;
    const stamp = { counter: 0, node: 0 };
    const write: WriteEvent = {
      id,
      key,
      value,
      level,
      begun: history.moment(),
      answered: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      stamp,
    };
    history.writes.push(write);
    const done = this.#expect(client, name, connection, `write ${id} of ${key} at level ${level}`, (reply) => {
      write.answered = history.moment();
      if (reply.error !== undefined) {
        write.outcome = reply.error.outcome;
        return;
      }
      write.outcome = 'acknowledged';
      write.stamp = { counter: reply.counter, node: reply.node };
      if (level !== LEVEL.one) this.#checkHolders(write);
    });
    if (value !== undefined) connection.set(key, value, level, done, TIMEOUT_MS);
    else connection.delete(key, level, done, TIMEOUT_MS);
  }

  #read(client: ClientState, name: string, connection: BareClient, key: string, isGet: boolean): void {
    const { random } = this.#world;
    const level = random.pick([LEVEL.quorum, LEVEL.quorum, LEVEL.quorum, LEVEL.all, LEVEL.one]);
    const begun = this.history.moment();
    const done = this.#expect(client, name, connection, `read of ${key}`, (reply) => {
      if (reply.error !== undefined) {
        if (reply.error.outcome !== 'not-applied') this.broken.push(`a read has the outcome ${reply.error.outcome}`);
        return;
      }
      const { counter, node, value } = reply;
      const answered = this.history.moment();
      const quorum = !isGet || level !== LEVEL.one;
      this.history.reads.push({ key, quorum, begun, answered, stamp: { counter, node }, value });
    });
    if (isGet) connection.get(key, level, done, TIMEOUT_MS);
    else connection.quorumGet(key, random.pick([0, 0, REPLIES_ALL]), done, TIMEOUT_MS);
  }

  #expect(
    client: ClientState,
    name: string,
    connection: BareClient,
    what: string,
    onReply: (reply: BareReply) => void,
  ) {
    const asked: Asked = { connection, name, node: this.#cluster.node(name), what, answered: false };
    this.#asked.push(asked);
    return (reply: BareReply): void => {
      asked.answered = true;
      client.pending--;
      client.token = Math.max(client.token, connection.counter);
      onReply(reply);
    };
  }

  /**
   * What was acknowledged stands on enough owners at that very moment, durably (mechanisms: Plain writes and reads). An
   * owner that is down is given the benefit of the doubt.
   */
  #checkHolders(write: WriteEvent): void {
    const versions = ownersOf(this.#world, this.#cluster, write.key);
    const needed = write.level === LEVEL.all ? versions.length : Math.floor(versions.length / 2) + 1;
    const holders = versions.filter((version) => {
      if (version === 'down') return true;
      const order = orderOf(version.stamp, write.stamp);
      return order > 0 || (order === 0 && version.durable);
    });
    if (holders.length >= needed) return;
    const { counter, node } = write.stamp;
    this.broken.push(
      `write ${write.id} of ${write.key} was acknowledged @${counter}/${node} with ${holders.length} of ${needed} holders`,
    );
  }
}

export type OwnerVersion = 'down' | { readonly node: string; readonly stamp: SeenStamp; readonly durable: boolean };

/** What each owner of a key holds right now. */
export function ownersOf(world: SimWorld, cluster: SimCluster, key: string): OwnerVersion[] {
  const bytes = Buffer.from(key);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const running = cluster.names.map((name) => ({ name, node: cluster.node(name) }));
  const placed = running.find(({ node }) => node.replication !== undefined)?.node.replication;
  if (placed === undefined) return [];
  const hash = keyHash(bytes, view, 0, bytes.length, placed.hashSeed);
  return placed.sets.ofHash(hash).members.map((member): OwnerVersion => {
    const owner = running.find(({ node }) => node.number === member);
    const store = owner?.node.store;
    if (owner === undefined || store === undefined || !world.isRunning(owner.name)) return 'down';
    const { name } = owner;
    if (!store.lookup(hash, bytes, view, 0, bytes.length)) {
      return { node: name, stamp: { counter: 0, node: 0 }, durable: true };
    }
    const { counter, node, durable } = store.found;
    return { node: name, stamp: { counter, node }, durable };
  });
}
