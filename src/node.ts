import { EPOCH_FRAME_BYTES_MAX, type WireTopology } from '@memdb/protocol';
import type { Membership } from './membership/membership.js';
import type { PeerLinkContext } from './membership/peer-link.js';
import type { LamportClock } from './model/lamport-clock.js';
import { STREAM_RUN_BYTES_MAX, TRANSFER_BYTES_PER_SECOND } from './model/limits.js';
import { RELEASE } from './model/release.js';
import { type ClusterRooms, joinCluster, memberNumber } from './node-cluster.js';
import { departureOf } from './node-departure.js';
import { NodeHandshakes } from './node-handshakes.js';
import type { NodeConfig, NodeOptions } from './node-options.js';
import { previewOf } from './node-preview.js';
import { type NodeRooms, recoverRooms } from './node-recovery.js';
import { NodeSettings } from './node-settings.js';
import { nodeStatus, registerGauges } from './node-status.js';
import { formatAddress } from './ports/address.js';
import type { HostProcess } from './ports/host-process.js';
import type { Timer } from './ports/timers.js';
import type { Address } from './ports/transport.js';
import { Turn } from './ports/turn.js';
import { AuditReplica } from './replication/audit/audit-replica.js';
import type { Replication } from './replication/replication.js';
import type { ReplyError } from './replication/replies.js';
import { AdminRequests } from './server/admin-requests.js';
import { BackupRequests } from './server/backup-requests.js';
import { ChangeRequests } from './server/change-requests.js';
import { ClientRequests } from './server/client-requests.js';
import { Lookahead } from './server/lookahead.js';
import { PeerRequests } from './server/peer-requests.js';
import { RequestRate } from './server/request-rate.js';
import { Server } from './server/server.js';
import { SnapshotSessions } from './storage/snapshot-sessions.js';
import type { Store } from './storage/store.js';
import type { Changes } from './topology/changes/changes.js';
import type { Epochs } from './topology/epochs.js';
import { Founding } from './topology/founding.js';
import type { NodeRecord } from './topology/pledge.js';
import type { Transfers } from './topology/transfers/transfers.js';

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
  readonly #settings: NodeSettings;
  readonly #turn: Turn;
  readonly #handshakes: NodeHandshakes;
  #phase: Phase = 'new';
  /** Undefined until the data directory is recovered. */
  #rooms: NodeRooms | undefined;
  #server: Server | undefined;
  #founding: Founding | undefined;
  /** Undefined until the cluster is founded. */
  #cluster: ClusterRooms | undefined;
  #topology: WireTopology | undefined;
  #snapshots: SnapshotSessions | undefined;
  #load: RequestRate | undefined;
  #number = 0;
  #address: Address;
  #drainTimer: Timer | undefined;
  /** A mark of the clock's lease was written and is to be synced at the end of this turn. */
  #leaseDone: (() => void) | undefined;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#settings = new NodeSettings(options.config.limits);
    this.#turn = new Turn(options.timers, options.clock);
    this.#address = options.config.node.advertise;
    this.#handshakes = new NodeHandshakes({
      identity: () => this.#recovered().identity,
      keys: options.keys,
      random: options.random,
      clusterId: () => this.#topology?.clusterId,
      number: () => this.#number,
      refuses: (peer) => this.#cluster?.membership.refusalOf({ ...peer, uuid: peer.identity }),
      address: () => this.#address,
    });
  }

  get uuid(): string {
    return this.#rooms?.identity.uuid ?? '';
  }

  /** Number in the topology; 0 before the cluster is founded. */
  get number(): number {
    return this.#number;
  }

  get generation(): number {
    return this.#rooms?.identity.generation ?? 0;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get store(): Store | undefined {
    return this.#rooms?.store;
  }

  get lamport(): LamportClock | undefined {
    return this.#rooms?.lamport;
  }

  get topology(): WireTopology | undefined {
    return this.#topology;
  }

  get membership(): Membership | undefined {
    return this.#cluster?.membership;
  }

  get epochs(): Epochs | undefined {
    return this.#cluster?.epochs;
  }

  /** Whether a majority confirmed that this node is still itself: nothing about data is answered before. */
  get #isAdmitted(): boolean {
    return this.#cluster?.membership.admitted === true;
  }

  get changes(): Changes | undefined {
    return this.#cluster?.changes;
  }

  get replication(): Replication | undefined {
    return this.#cluster?.replication;
  }

  get transfers(): Transfers | undefined {
    return this.#cluster?.transfers;
  }

  get server(): Server | undefined {
    return this.#server;
  }

  get process(): HostProcess | undefined {
    return this.#options.process;
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
    this.#rooms?.lamport.extend(() => this.#listen(done));
    this.#turn.wake();
  }

  /** Why the node does not serve; undefined while it does. */
  ready(): string | undefined {
    if (this.#phase !== 'running') return `the node is ${this.#phase}`;
    if (this.#isAdmitted) return this.#cluster?.joining();
    if (this.#cluster !== undefined) return `waiting for ${this.#cluster.membership.waitingFor}`;
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
    this.#settings.configure(config.limits);
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
    const deadlineMs = clock.monotonicMs() + this.#settings.limits.requestTimeoutMs;
    const poll = (): void => {
      const idle = (this.#cluster?.replication.pending ?? 0) === 0;
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
    this.#cluster?.replication.saveCursors();
    this.#endOfTurn();
    this.#cluster?.replication.stop();
    this.#snapshots?.stop();
    this.#founding?.stop();
    this.#cluster?.changes.stop();
    this.#cluster?.epochs.stop();
    this.#cluster?.transfers.stop();
    this.#cluster?.membership.stop();
    this.#server?.stop();
    const unlock = (error?: Error): void => {
      this.#options.disk?.unlock();
      done(error);
    };
    if (this.#rooms === undefined) unlock();
    else this.#rooms.store.close(unlock);
  }

  #recover(): void {
    this.#rooms = recoverRooms(this.#options, this.#turn, {
      epoch: () => this.#topology?.epoch ?? 0,
      number: () => this.#number,
      readLsn: () => this.#cluster?.replication.readLsn ?? Number.POSITIVE_INFINITY,
      onDurable: (lsn) => this.#onDurable(lsn),
      onLease: (done) => {
        this.#leaseDone = done;
        this.#turn.wake();
      },
    });
    this.#turn.addStage(() => this.#endOfTurn());
  }

  #listen(done: (error?: Error) => void): void {
    const { transport, timers, telemetry, random } = this.#options;
    const { store, lamport, replies, held } = this.#recovered();
    this.#snapshots = new SnapshotSessions(store, timers, random.uint32());
    const clientRequests = new ClientRequests({
      replies,
      lamport,
      turn: this.#turn,
      clock: this.#options.clock,
      telemetry,
      replication: () => (this.#isAdmitted ? this.#cluster?.replication : undefined),
      topology: () => (this.#isAdmitted ? this.#topology : undefined),
      limits: () => this.#settings.limits,
      closing: () => (this.#phase === 'running' ? undefined : SHUTTING_DOWN),
      status: () => this.status(),
      backups: new BackupRequests(this.#snapshots, replies, this.uuid),
      changes: new ChangeRequests({
        replies,
        changes: () => this.#cluster?.changes,
        numberOf: (uuid) => memberNumber(this.#topology, uuid),
        preview: (request) => previewOf(this, random, request),
      }),
    });
    this.#load = new RequestRate(
      () => clientRequests.begun,
      () => this.#turn.nowMs,
    );
    const listenOn = this.#config.node.listen;
    this.#server = new Server({
      transport,
      timers,
      turn: this.#turn,
      telemetry,
      handshake: () => this.#handshakes.asServer(),
      limits: () => this.#settings.limits,
      clientRequests,
      adminRequests: new AdminRequests({
        replies,
        timers,
        telemetry,
        node: this.uuid,
        process: this.#options.process,
        conflicts: () => this.#cluster?.replication.writes.conflicts,
      }),
      lookahead: new Lookahead(() => this.#cluster?.replication),
      // Made by the time of the first connection: `listen` calls back in a later turn.
      peerRequests: () => peerRequests,
      onPeer: (peer) => {
        this.#cluster?.membership.onPeer({ ...peer, uuid: peer.identity });
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
      epochs: () => this.#cluster?.epochs,
      transfers: () => this.#cluster?.transfers,
      numberOf: (uuid) => memberNumber(this.#topology, uuid),
      epoch: () => (this.#isAdmitted ? (this.#topology?.epoch ?? 0) : 0),
      membership: () => this.#cluster?.membership,
      replica: () => (this.#isAdmitted ? this.#cluster?.replica : undefined),
      counters: () => this.#cluster?.replication.counters.replica,
      acceptor: () => (this.#isAdmitted ? this.#cluster?.replication.serial.acceptor : undefined),
      audit: new AuditReplica(store, replies),
      scanPages: () => this.#cluster?.replication.scanPages,
      onPressure: (member, keys) => this.#cluster?.replication.onPressure(member, keys),
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
    const { cluster } = this.#config;
    const { store } = this.#recovered();
    const self = this;
    return new Founding({
      get self() {
        return { uuid: self.uuid, ...self.#description() };
      },
      seeds: cluster.seeds,
      founders: cluster.founders,
      placing: { partitions: cluster.partitions, replicationFactor: cluster.replicationFactor },
      store,
      timers,
      link: this.#linkContext(),
      onFounded: (topology) => this.#onFounded(topology),
      onRemoved: () => this.#depart(undefined),
    });
  }

  /** What the configuration says of this node. */
  #description(): Omit<NodeRecord, 'uuid'> {
    const { http, zone, host, weight } = this.#config.node;
    const address = formatAddress(this.#address);
    return { address, http: http === undefined ? '' : formatAddress(http), zone, host, weight };
  }

  #onFounded(topology: WireTopology): void {
    const { telemetry } = this.#options;
    const rooms = this.#recovered();
    const self = topology.nodes.find((node) => node.uuid === this.uuid);
    if (self === undefined) throw new Error(`epoch ${topology.epoch} does not name this node`);
    this.#number = self.number;
    this.#use(topology);
    rooms.store.configurePlacement(topology.partitions, topology.hashSeed);
    this.#cluster = joinCluster({
      ports: this.#options,
      config: this.#config,
      rooms,
      turn: this.#turn,
      topology,
      number: self.number,
      epoch: () => this.#topology?.epoch ?? 0,
      describe: () => ({ ...this.#description(), release: RELEASE, load: this.#load?.perSecond ?? 0 }),
      link: this.#linkContext(),
      onRefused: this.#options.onFatal,
      onEpoch: (next) => this.#onEpoch(next),
    });
    this.#setTransferRate();
    telemetry.log('info', 'cluster-ready', {
      epoch: topology.epoch,
      member: self.number,
      members: topology.nodes.length,
    });
    this.#turn.wake();
  }

  #onEpoch(topology: WireTopology): void {
    const last = this.#topology;
    this.#use(topology);
    this.#options.telemetry.log('info', 'epoch', {
      epoch: topology.epoch,
      members: topology.nodes.length,
      pending: topology.pending !== undefined,
    });
    if (memberNumber(topology, this.uuid) === 0) this.#depart(last);
  }

  #use(topology: WireTopology): void {
    this.#topology = topology;
    this.#settings.onEpoch(topology);
    this.#options.onAgreed?.(this.#settings.agreed);
    this.#setTransferRate();
  }

  #setTransferRate(): void {
    const bytesPerSecond = this.#settings.agreed.transferBytesPerSecond ?? TRANSFER_BYTES_PER_SECOND;
    const transfers = this.#cluster?.transfers;
    if (transfers !== undefined) transfers.bytesPerSecond = bytesPerSecond || Number.MAX_SAFE_INTEGER;
  }

  /** The cluster goes on without this node. */
  #depart(last: WireTopology | undefined): void {
    const departure = departureOf(this.#number, last);
    const { telemetry, onDeparted } = this.#options;
    telemetry.log(departure.isOrderly ? 'info' : 'error', 'departed', { message: departure.message });
    if (onDeparted === undefined) this.drain(() => {});
    else onDeparted(departure);
  }

  #onDurable(lsn: number): void {
    this.#rooms?.held.onDurable(lsn);
    this.#cluster?.replication.onDurable(lsn);
    this.#server?.onDurable(lsn);
    this.#turn.wake();
  }

  /** What became ready in this turn leaves: to the peers first, they sync while this node does. */
  #endOfTurn(): void {
    this.#cluster?.replication.flush();
    this.#cluster?.membership.flush();
    this.#founding?.flush();
    this.#rooms?.store.commit();
    this.#syncLease();
    this.#rooms?.replies.flush();
  }

  #syncLease(): void {
    const done = this.#leaseDone;
    if (done === undefined) return;
    this.#leaseDone = undefined;
    this.#rooms?.store.syncNow(done);
  }

  #recovered(): NodeRooms {
    if (this.#rooms === undefined) throw new Error('the node has not recovered yet');
    return this.#rooms;
  }

  #linkContext(): PeerLinkContext {
    const { timers, random, transport, telemetry } = this.#options;
    const { lamport } = this.#recovered();
    return {
      timers,
      random,
      transport,
      telemetry,
      turn: this.#turn,
      lamport,
      epoch: () => this.#topology?.epoch ?? 0,
      maxFrameBytes: () =>
        Math.max(STREAM_RUN_BYTES_MAX * 2 + this.#config.limits.valueBytesMax * 8, EPOCH_FRAME_BYTES_MAX),
      handshake: () => this.#handshakes.toPeer(),
    };
  }
}

const SHUTTING_DOWN: ReplyError = {
  code: 'shutting-down',
  outcome: 'not-applied',
  message: 'this node is stopping; ask another one',
};
