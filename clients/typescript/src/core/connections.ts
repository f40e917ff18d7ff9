import { type MemDbError, parseSeed, type WireTopology } from '@memdb/protocol';
import { Dialer, type DialerEvents } from './dialer.js';
import type { Events } from './events.js';
import { formatAddress, isLasting } from './failures.js';
import { Heartbeat } from './heartbeat.js';
import type { Link, LinkContext, LinkOwner } from './link.js';
import { NodeEntry } from './node-entry.js';
import type { Address, Timer } from './ports.js';
import { Routes } from './routes.js';
import { SeedSearch, type SeedSearchEvents } from './seed-search.js';
import type { Statistics } from './statistics.js';
import { describeTopology, type TopologyDescription } from './topology.js';
import { TopologyRequest } from './topology-request.js';

/** `connect` waits this long for the other nodes once the first has answered, so that routing starts out direct. */
const SETTLE_MS = 300;
/** A node that refuses dials may have moved: the newest topology is asked for no more often than this. */
const REFRESH_PAUSE_MS = 1000;

/** What `db.on` can listen to. */
export interface ClientEvents {
  /** The client routes by this topology from now on. */
  topology: TopologyDescription;
  /** A connection to a node came up, or the last one to it went down. */
  node: NodeEvent;
  /** Something that the client cannot put right by itself, such as a key that is not accepted any more. */
  error: MemDbError;
}

export interface NodeEvent {
  readonly node: number;
  readonly address: string;
  readonly state: 'up' | 'down';
  /** Why it went down. */
  readonly error: MemDbError | undefined;
}

type Opening =
  | { readonly kind: 'searching' }
  | { readonly kind: 'settling'; readonly timer: Timer }
  | { readonly kind: 'open' };

/** All connections: finds a node through the seeds, learns the topology, keeps connections to every node of it. */
export class Connections implements DialerEvents, SeedSearchEvents, LinkOwner {
  readonly #context: LinkContext;
  readonly #statistics: Statistics;
  readonly #events: Events<ClientEvents>;
  readonly #seeds: SeedSearch;
  readonly #heartbeat: Heartbeat;
  readonly #request: TopologyRequest;
  #nodes: Map<number, NodeEntry> = new Map();
  #topology: TopologyDescription | undefined = undefined;
  /** Connections that no node of the topology owns: a seed that answered, before it is known who it is. */
  readonly #guests: Set<Link> = new Set();
  #opening: Opening = { kind: 'searching' };
  #whenOpen: ((error?: MemDbError) => void) | undefined;
  #refreshedAtMs: number = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(
    context: LinkContext,
    seeds: readonly Address[],
    statistics: Statistics,
    events: Events<ClientEvents>,
    whenOpen: (error?: MemDbError) => void,
  ) {
    this.#context = context;
    this.#statistics = statistics;
    this.#events = events;
    this.#whenOpen = whenOpen;
    this.#seeds = new SeedSearch(context, seeds, this);
    this.#heartbeat = new Heartbeat(context);
    this.#request = new TopologyRequest(context, (topology) => this.#learn(topology));
  }

  start(): void {
    this.#seeds.start();
    this.#heartbeat.start();
  }

  /** As last learned; undefined until a node told it. */
  get topology(): TopologyDescription | undefined {
    return this.#topology;
  }

  /** Connections that take requests. */
  get up(): number {
    let count = 0;
    for (const node of this.#nodes.values()) count += node.ready.length;
    return count;
  }

  /** Why no node is connected. */
  get unreachableReason(): string {
    return this.#request.lastError?.message ?? this.#seeds.lastError?.message ?? 'no seed has answered yet.';
  }

  get lastError(): MemDbError | undefined {
    return this.#request.lastError ?? this.#seeds.lastError;
  }

  /** A frame or an error said that the topology known here is not the newest. */
  refresh(link: Link): void {
    if (!this.#isClosed) this.#request.send(link);
  }

  /** Closes every connection once the replies that are owed have come. */
  close(): void {
    this.#isClosed = true;
    this.#seeds.stop();
    this.#heartbeat.stop();
    this.#request.stop();
    if (this.#opening.kind === 'settling') this.#context.ports.timers.stop(this.#opening.timer);
    for (const node of this.#nodes.values()) for (const dialer of node.dialers) dialer.stop();
    for (const link of this.#guests) link.drain();
  }

  onFound(link: Link): void {
    link.owner = this;
    this.#guests.add(link);
    if (this.#isClosed) link.drain();
    else {
      // The node may be known, and then it can serve at once; it may also know that others have moved.
      this.#adopt(link);
      this.#request.send(link);
    }
  }

  onHopeless(error: MemDbError): void {
    if (this.#opening.kind === 'searching') this.#open(error);
    else this.#events.emit('error', error);
  }

  /** Guests only; they are ready when they come here. */
  onReady(): void {}

  onDraining(): void {}

  onClosed(link: Link): void {
    this.#guests.delete(link);
    this.#searchIfAlone();
  }

  onUp(node: NodeEntry, _link: Link, isFirst: boolean): void {
    if (!isFirst) this.#statistics.reconnects++;
    if (node.ready.length === 1) this.#tell(node, 'up', undefined);
    this.#seeds.stop();
    this.#context.dispatcher.unpark();
    this.#openIfSettled();
  }

  onDown(node: NodeEntry, error: MemDbError, wasUp: boolean): void {
    if (this.#isClosed) return;
    if (wasUp) this.#statistics.connectionsLost++;
    if (wasUp && node.ready.length === 0) this.#tell(node, 'down', error);
    if (isLasting(error)) this.#events.emit('error', error);
    if (!wasUp) this.#refreshFromAny();
    this.#searchIfAlone();
    this.#openIfSettled();
  }

  #learn(topology: WireTopology): void {
    const known = this.#context.dispatcher.routes;
    if (known !== undefined && topology.epoch < known.epoch) {
      this.#seatGuests();
      return;
    }
    const isNew = known === undefined || topology.epoch > known.epoch;
    this.#context.credentials.clusterId = topology.clusterId;
    this.#context.session.epoch = topology.epoch;
    const former = this.#nodes;
    const moved = new Set<NodeEntry>();
    this.#nodes = new Map();
    for (const { number, address } of topology.nodes) {
      const target = parseSeed(address);
      const node = former.get(number) ?? new NodeEntry(number, target);
      if (formatAddress(node.address) !== formatAddress(target)) moved.add(node);
      node.address = target;
      this.#nodes.set(number, node);
    }
    this.#context.dispatcher.routes = new Routes(topology, [...this.#nodes.values()]);
    for (const node of former.values()) {
      if (!this.#nodes.has(node.number)) for (const dialer of node.dialers) dialer.stop();
    }
    const fresh = this.#equip();
    this.#seatGuests();
    for (const dialer of fresh) dialer.dial();
    for (const node of moved) for (const dialer of node.dialers) dialer.dial();
    if (isNew) {
      this.#topology = describeTopology(topology);
      this.#events.emit('topology', this.#topology);
    }
    if (this.#opening.kind === 'searching') {
      const timer = this.#context.ports.timers.start(SETTLE_MS, () => this.#open());
      this.#opening = { kind: 'settling', timer };
      this.#openIfSettled();
    }
  }

  /** Gives every node its dialers; returns the new ones. */
  #equip(): Dialer[] {
    const fresh: Dialer[] = [];
    for (const node of this.#nodes.values()) {
      while (node.dialers.length < this.#context.settings.connectionsPerNode) {
        const dialer = new Dialer(this.#context, node, this);
        node.dialers.push(dialer);
        fresh.push(dialer);
      }
    }
    return fresh;
  }

  /** Guests whose node the topology does not need, or does not know, leave. */
  #seatGuests(): void {
    for (const link of [...this.#guests]) if (!this.#adopt(link)) link.drain();
  }

  /** A guest becomes one of the connections to its node, when that is known and lacks one. */
  #adopt(link: Link): boolean {
    const dialer = this.#nodes.get(link.peer?.nodeNumber ?? 0)?.dialers.find((candidate) => !candidate.isUp);
    if (dialer === undefined || !link.isReady) return false;
    this.#guests.delete(link);
    dialer.adopt(link);
    return true;
  }

  #refreshFromAny(): void {
    const nowMs = this.#context.dispatcher.turn.nowMs();
    if (nowMs < this.#refreshedAtMs + REFRESH_PAUSE_MS) return;
    const link = this.#context.dispatcher.routes?.any();
    if (link === undefined) return;
    this.#refreshedAtMs = nowMs;
    this.#request.send(link);
  }

  #searchIfAlone(): void {
    if (!this.#isClosed && this.#guests.size === 0 && this.up === 0) this.#seeds.start();
  }

  /** Open as soon as one node is connected and each other one is, or has failed once. */
  #openIfSettled(): void {
    if (this.#opening.kind !== 'settling' || this.up === 0) return;
    for (const node of this.#nodes.values()) {
      for (const dialer of node.dialers) if (!dialer.isUp && dialer.failures === 0) return;
    }
    this.#open();
  }

  #open(error?: MemDbError): void {
    if (this.#opening.kind === 'settling') this.#context.ports.timers.stop(this.#opening.timer);
    if (error === undefined) this.#opening = { kind: 'open' };
    const callback = this.#whenOpen;
    this.#whenOpen = undefined;
    callback?.(error);
  }

  #tell(node: NodeEntry, state: 'up' | 'down', error: MemDbError | undefined): void {
    this.#events.emit('node', { node: node.number, address: formatAddress(node.address), state, error });
  }
}
