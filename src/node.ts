import type { ClientHandshakeOptions, ServerHandshakeOptions, WireTopology } from '@memdb/protocol';
import { FEATURES_KNOWN, parseUuid, Role, roleName } from '@memdb/protocol';
import type { Sighting } from './membership/heartbeat.js';
import { Membership } from './membership/membership.js';
import type { PeerLink, PeerLinkContext } from './membership/peer-link.js';
import { LamportClock } from './model/lamport-clock.js';
import { STREAM_RUN_BYTES_MAX } from './model/limits.js';
import { leaseMark, loadMoves, saveMark, saveMove } from './node-meta.js';
import type { NodeConfig, NodeKeys } from './node-options.js';
import { nodeStatus, registerGauges } from './node-status.js';
import { formatAddress, parseAddress } from './ports/address.js';
import type { Clock } from './ports/clock.js';
import type { Disk } from './ports/disk.js';
import type { Random } from './ports/random.js';
import type { Telemetry } from './ports/telemetry.js';
import type { Timer, Timers } from './ports/timers.js';
import type { Address, Transport } from './ports/transport.js';
import { Turn } from './ports/turn.js';
import { AuditReplica } from './replication/audit/audit-replica.js';
import { HeldReplies } from './replication/held-replies.js';
import { Replica } from './replication/replica.js';
import { Replication } from './replication/replication.js';
import { Replies, type ReplyError } from './replication/replies.js';
import { BackupRequests } from './server/backup-requests.js';
import { ClientRequests } from './server/client-requests.js';
import { Lookahead } from './server/lookahead.js';
import { PeerRequests } from './server/peer-requests.js';
import { Server } from './server/server.js';
import { SnapshotSessions } from './storage/snapshot-sessions.js';
import { Store } from './storage/store.js';
import { Founding } from './topology/founding.js';
import { type Identity, takeIdentity } from './topology/identity.js';

/** The outside world of a node (architecture: Determinism). */
export interface NodePorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Undefined exactly when `storage.durability` is `none`. */
  readonly disk: Disk | undefined;
  readonly transport: Transport;
  readonly telemetry: Telemetry;
}

export interface NodeOptions extends NodePorts {
  readonly config: NodeConfig;
  readonly keys: NodeKeys;
  /** An invariant broke, or the disk failed for good: the process must end, nothing more is acknowledged. */
  readonly onFatal: (error: Error) => void;
}

/** What a node is doing. Changed by `Node` only. */
type Phase = 'new' | 'running' | 'draining' | 'stopped';

/** How often a draining node looks whether everything is answered. */
const DRAIN_POLL_MS = 10;

/**
 * One node: every room of the house, wired together.
 *
 * @example
 * const node = createNode({ clock, timers, random, disk, transport, telemetry, config, keys, onFatal });
 * node.start((error) => { if (error !== undefined) throw error; });
 */
export function createNode(options: NodeOptions): Node {
  return new Node(options);
}

export class Node {
  readonly #options: NodeOptions;
  #config: NodeConfig;
  readonly #turn: Turn;
  #phase: Phase = 'new';
  #identity: Identity | undefined;
  #store: Store | undefined;
  #lamport: LamportClock | undefined;
  #replies: Replies | undefined;
  #held: HeldReplies | undefined;
  #server: Server | undefined;
  #founding: Founding | undefined;
  #membership: Membership | undefined;
  #replication: Replication | undefined;
  #replica: Replica | undefined;
  #topology: WireTopology | undefined;
  #snapshots: SnapshotSessions | undefined;
  #number = 0;
  #address: Address;
  #drainTimer: Timer | undefined;
  /** A mark of the clock's lease was written and is to be synced at the end of this turn. */
  #leaseDone: (() => void) | undefined;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#turn = new Turn(options.timers, options.clock);
    this.#address = options.config.node.advertise;
  }

  get uuid(): string {
    return this.#identity?.uuid ?? '';
  }

  /** Number in the topology; 0 before the cluster is founded. */
  get number(): number {
    return this.#number;
  }

  get generation(): number {
    return this.#identity?.generation ?? 0;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get store(): Store | undefined {
    return this.#store;
  }

  get lamport(): LamportClock | undefined {
    return this.#lamport;
  }

  get topology(): WireTopology | undefined {
    return this.#topology;
  }

  get membership(): Membership | undefined {
    return this.#membership;
  }

  get replication(): Replication | undefined {
    return this.#replication;
  }

  get server(): Server | undefined {
    return this.#server;
  }

  get config(): NodeConfig {
    return this.#config;
  }

  /** Where the node is reached; known exactly once it listens. */
  get address(): Address {
    return this.#address;
  }

  /**
   * Takes the data directory, recovers, listens, and joins its cluster. `done` is called when connections are accepted;
   * the cluster may form later (`ready`). The error says what a person can do.
   */
  start(done: (error?: Error) => void): void {
    try {
      this.#recover();
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#phase = 'running';
    this.#lamport?.extend(() => this.#listen(done));
    this.#turn.wake();
  }

  /** Why the node does not serve; undefined while it does. */
  ready(): string | undefined {
    if (this.#phase !== 'running') return `the node is ${this.#phase}`;
    if (this.#topology !== undefined) return undefined;
    return `the cluster is not formed yet: waiting for ${this.#founding?.waitingFor ?? 'the disk'}`;
  }

  /** What the node knows of itself, for people. */
  status(): object {
    return nodeStatus(this);
  }

  /** Applies what can change while running; returns the names of the settings that need a restart. */
  reload(config: NodeConfig): string[] {
    const fixed = (['node', 'cluster', 'storage'] as const).flatMap((section) => {
      const before: Record<string, unknown> = { ...this.#config[section] };
      const after: Record<string, unknown> = { ...config[section] };
      return Object.keys(after)
        .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
        .map((name) => `${section}.${name}`);
    });
    this.#config = { ...this.#config, limits: config.limits };
    return fixed;
  }

  /** Refuses new requests, waits until those accepted are answered, syncs and closes everything. */
  drain(done: (error?: Error) => void): void {
    if (this.#phase !== 'running') {
      this.stop(done);
      return;
    }
    this.#phase = 'draining';
    this.#server?.stopAccepting();
    const { timers, clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + this.#config.limits.requestTimeoutMs;
    const poll = (): void => {
      const idle = (this.#replication?.pending ?? 0) === 0;
      if (idle || clock.monotonicMs() > deadlineMs) this.stop(done);
      else this.#drainTimer = timers.start(DRAIN_POLL_MS, poll);
    };
    poll();
  }

  /** Syncs and closes everything at once; what was accepted and not answered has an unknown outcome for its client. */
  stop(done: (error?: Error) => void): void {
    if (this.#phase === 'stopped') {
      done();
      return;
    }
    this.#phase = 'stopped';
    if (this.#drainTimer !== undefined) this.#options.timers.stop(this.#drainTimer);
    this.#replication?.saveCursors();
    this.#endOfTurn();
    this.#replication?.stop();
    this.#snapshots?.stop();
    this.#founding?.stop();
    this.#membership?.stop();
    this.#server?.stop();
    const unlock = (error?: Error): void => {
      this.#options.disk?.unlock();
      done(error);
    };
    if (this.#store === undefined) unlock();
    else this.#store.close(unlock);
  }

  #recover(): void {
    const { disk, random, telemetry, timers, clock, onFatal } = this.#options;
    const { storage, cluster } = this.#config;
    disk?.lock();
    this.#identity = takeIdentity(disk, random);
    const store = Store.open({
      disk,
      timers,
      clock,
      telemetry,
      durability: storage.durability,
      syncIntervalMs: storage.syncIntervalMs,
      segmentBytes: storage.segmentBytes,
      memoryBytesMax: storage.memoryBytesMax,
      entriesMax: storage.entriesMax,
      eviction: storage.eviction,
      compression: storage.compression === 'on',
      partitions: cluster.partitions,
      hashSeed: 0,
      readLsn: () => this.#replication?.readLsn ?? Number.POSITIVE_INFINITY,
      onDurable: (lsn) => this.#onDurable(lsn),
      onRoom: () => this.#turn.wake(),
      onFatal,
    });
    this.#store = store;
    const lamport = new LamportClock({
      start: Math.max(leaseMark(store), store.highestCounter()),
      // Synced at the end of the turn: in mode `interval` a sync announces what it wrote at once, and a stamp may be
      // asked for in the middle of answering what was announced before.
      lease: (mark, done) => {
        saveMark(store, mark);
        this.#leaseDone = done;
        this.#turn.wake();
      },
    });
    this.#lamport = lamport;
    const replies = new Replies(
      lamport,
      this.#turn,
      () => this.#topology?.epoch ?? 0,
      () => this.#number,
    );
    this.#replies = replies;
    this.#held = new HeldReplies(replies);
    this.#turn.addStage(() => this.#endOfTurn());
  }

  #listen(done: (error?: Error) => void): void {
    const { transport, timers, telemetry, random } = this.#options;
    const { store, lamport, replies, held } = this.#rooms();
    this.#snapshots = new SnapshotSessions(store, timers, random.uint32());
    const clientRequests = new ClientRequests({
      replies,
      lamport,
      turn: this.#turn,
      telemetry,
      replication: () => this.#replication,
      topology: () => this.#topology,
      limits: () => this.#config.limits,
      closing: () => (this.#phase === 'running' ? undefined : SHUTTING_DOWN),
      status: () => this.status(),
      backups: new BackupRequests(this.#snapshots, replies, this.uuid),
    });
    const listenOn = this.#config.node.listen;
    this.#server = new Server({
      transport,
      timers,
      turn: this.#turn,
      telemetry,
      handshake: () => this.#serverHandshake(),
      limits: () => this.#config.limits,
      clientRequests,
      lookahead: new Lookahead(() => this.#replication),
      // Made by the time of the first connection: `listen` calls back in a later turn.
      peerRequests: () => peerRequests,
      onPeer: (peer) => {
        const number = this.#numberOf(peer.identity);
        if (number === 0 || peer.advertisedAddress === '') return;
        const address = parseAddress(peer.advertisedAddress);
        this.#membership?.learn({ number, generation: peer.generation, address });
      },
    });
    const founding = this.#makeFounding();
    this.#founding = founding;
    const peerRequests = new PeerRequests({
      store,
      lamport,
      replies,
      held,
      clientRequests,
      founding,
      epoch: () => this.#topology?.epoch ?? 0,
      membership: () => this.#membership,
      replica: () => this.#replica,
      audit: new AuditReplica(store, replies),
      scanPages: () => this.#replication?.scanPages,
      onPressure: (member, keys) => this.#replication?.onPressure(member, keys),
    });
    registerGauges(this, telemetry);
    this.#server.listen(listenOn, (error, bound) => {
      if (error !== undefined) {
        done(new Error(`cannot listen on ${formatAddress(listenOn)}: ${error.message}`, { cause: error }));
        return;
      }
      // Port 0 asks for any port: the one that was bound is the one to advertise.
      if (this.#address.port === 0) this.#address = { host: this.#address.host, port: bound.port };
      telemetry.log('info', 'listening', {
        address: formatAddress(bound),
        node: this.uuid,
        generation: this.generation,
      });
      founding.start();
      done();
    });
  }

  #makeFounding(): Founding {
    const { timers } = this.#options;
    const { node, cluster } = this.#config;
    const { store } = this.#rooms();
    const self = this;
    return new Founding({
      get self() {
        return {
          uuid: self.uuid,
          address: formatAddress(self.#address),
          http: node.http === undefined ? '' : formatAddress(node.http),
          zone: node.zone,
          host: node.host,
          weight: node.weight,
        };
      },
      seeds: cluster.seeds,
      founders: cluster.founders,
      placing: { partitions: cluster.partitions, replicationFactor: cluster.replicationFactor },
      store,
      timers,
      link: this.#linkContext(),
      onFounded: (topology) => this.#onFounded(topology),
    });
  }

  #onFounded(topology: WireTopology): void {
    const { timers, telemetry } = this.#options;
    const { store, lamport, replies, held } = this.#rooms();
    const self = topology.nodes.find((node) => node.uuid === this.uuid);
    if (self === undefined) throw new Error(`epoch ${topology.epoch} does not name this node`);
    this.#number = self.number;
    this.#topology = topology;
    store.configurePlacement(topology.partitions, topology.hashSeed);
    this.#replica = new Replica(store, replies, held, topology.hashSeed);
    const moves = loadMoves(store);
    const membership = new Membership({
      context: this.#linkContext(),
      events: {
        onUp: (link) => this.#replication?.onUp(link),
        onDown: (link) => this.#replication?.onDown(link),
        onFrame: (link, bytes, view, start, end) => this.#onPeerReply(link, bytes, view, start, end),
      },
      self: { number: self.number, generation: this.generation, address: this.#address },
      seeds: this.#config.cluster.seeds,
      onMoved: (sighting) => saveMove(store, sighting),
      numberOf: (uuid) => this.#numberOf(uuid),
      onLiveness: (number, reachable) => this.#replication?.onLiveness(number, reachable),
    });
    this.#membership = membership;
    this.#replication = new Replication({
      self: self.number,
      topology,
      store,
      lamport,
      replies,
      held,
      replica: this.#replica,
      turn: this.#turn,
      timers,
      telemetry,
      eviction: this.#config.storage.eviction === 'lru' ? this.#config.storage : undefined,
      links: membership.links,
      reachable: (member) => membership.reachable(member),
    });
    membership.start(
      topology.nodes.map(
        (node): Sighting =>
          moves.get(node.number) ?? { number: node.number, generation: 0, address: parseAddress(node.address) },
      ),
    );
    telemetry.log('info', 'cluster-ready', {
      epoch: topology.epoch,
      member: self.number,
      members: topology.nodes.length,
    });
    this.#turn.wake();
  }

  #onPeerReply(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (this.#replication?.onReply(link, bytes, view, start, end) === true) return;
    this.#membership?.onReply(bytes, view, start, end);
  }

  #onDurable(lsn: number): void {
    this.#held?.onDurable(lsn);
    this.#replication?.onDurable(lsn);
    this.#server?.onDurable(lsn);
    this.#turn.wake();
  }

  /** What became ready in this turn leaves: to the peers first, they sync while this node does. */
  #endOfTurn(): void {
    this.#replication?.flush();
    this.#membership?.flush();
    this.#founding?.flush();
    this.#store?.commit();
    this.#syncLease();
    this.#replies?.flush();
  }

  #syncLease(): void {
    const done = this.#leaseDone;
    if (done === undefined) return;
    this.#leaseDone = undefined;
    this.#store?.syncNow(done);
  }

  #rooms(): { store: Store; lamport: LamportClock; replies: Replies; held: HeldReplies } {
    if (
      this.#store === undefined ||
      this.#lamport === undefined ||
      this.#replies === undefined ||
      this.#held === undefined
    ) {
      throw new Error('the node has not recovered yet');
    }
    return { store: this.#store, lamport: this.#lamport, replies: this.#replies, held: this.#held };
  }

  #numberOf(uuid: string): number {
    return this.#topology?.nodes.find((node) => node.uuid === uuid)?.number ?? 0;
  }

  #linkContext(): PeerLinkContext {
    const { timers, random, transport, telemetry } = this.#options;
    const { lamport } = this.#rooms();
    return {
      timers,
      random,
      transport,
      telemetry,
      turn: this.#turn,
      lamport,
      epoch: () => this.#topology?.epoch ?? 0,
      maxFrameBytes: () => STREAM_RUN_BYTES_MAX * 2 + this.#config.limits.valueBytesMax * 8,
      handshake: () => this.#clientHandshake(),
    };
  }

  #clusterId(): Uint8Array {
    return this.#topology?.clusterId ?? new Uint8Array(16);
  }

  #identityBytes(): { identity: Uint8Array; generation: number; bootNonce: Uint8Array } {
    const bootNonce = this.#identity?.bootNonce ?? new Uint8Array(8);
    return { identity: parseUuid(this.uuid), generation: this.generation, bootNonce };
  }

  #clientHandshake(): ClientHandshakeOptions {
    const key = this.#options.keys.preferred('node');
    if (key === undefined)
      throw new Error('auth.keys_file holds no key of role "node"; make one: memdb keygen --role node');
    return {
      role: Role.node,
      keyId: key.id,
      secret: key.secret,
      clusterId: this.#clusterId(),
      features: FEATURES_KNOWN,
      advertisedAddress: formatAddress(this.#address),
      random: (bytes) => this.#options.random.fill(bytes),
      ...this.#identityBytes(),
    };
  }

  #serverHandshake(): ServerHandshakeOptions {
    return {
      keys: (role, keyId) => this.#options.keys.secret(roleName(role), keyId),
      clusterId: this.#clusterId(),
      nodeNumber: this.#number,
      features: FEATURES_KNOWN,
      random: (bytes) => this.#options.random.fill(bytes),
      ...this.#identityBytes(),
    };
  }
}

const SHUTTING_DOWN: ReplyError = {
  code: 'shutting-down',
  outcome: 'not-applied',
  message: 'this node is stopping; ask another one',
};
