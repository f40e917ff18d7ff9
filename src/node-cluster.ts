import { frameEpoch, type MemDbError, type WireTopology } from '@memdb/protocol';
import { clusterSettingRefusal } from './config/cluster-settings.js';
import { MemberRecords } from './member-records.js';
import type { Place } from './membership/member-links.js';
import { Membership, type SelfDescription } from './membership/membership.js';
import type { PeerLinkContext } from './membership/peer-link.js';
import type { NodeConfig, NodePorts } from './node-options.js';
import type { NodeRooms } from './node-recovery.js';
import type { Turn } from './ports/turn.js';
import { Replica } from './replication/replica.js';
import { Replication } from './replication/replication.js';
import { Changes } from './topology/changes/changes.js';
import { nodeOf, votersOf } from './topology/epoch-roles.js';
import { Epochs } from './topology/epochs.js';
import { Transfers } from './topology/transfers/transfers.js';

/** What a node has once it belongs to a cluster. */
export interface ClusterRooms {
  readonly epochs: Epochs;
  readonly replica: Replica;
  readonly membership: Membership;
  readonly replication: Replication;
  readonly changes: Changes;
  readonly transfers: Transfers;
  /** How far this node is with joining, as a sentence; undefined once it is a member. */
  readonly joining: () => string | undefined;
}

export interface ClusterOptions {
  readonly ports: NodePorts;
  readonly config: NodeConfig;
  readonly rooms: NodeRooms;
  readonly turn: Turn;
  readonly topology: WireTopology;
  /** Number of this node in the topology. */
  readonly number: number;
  /** The epoch this node is in. */
  readonly epoch: () => number;
  /** What this node tells of itself, its epoch and its log excepted. */
  readonly describe: () => Omit<SelfDescription, 'epoch' | 'logEnd'>;
  readonly link: PeerLinkContext;
  /** An epoch is in force from now on: told before anything else of the cluster is. */
  readonly onEpoch: (topology: WireTopology) => void;
  /** This node must end: it is a copy, or another one has its place. */
  readonly onRefused: (error: MemDbError) => void;
}

/** Number of the member with that UUID; 0 for a stranger, and before founding. */
export function memberNumber(topology: WireTopology | undefined, uuid: string): number {
  return topology?.nodes.find((node) => node.uuid === uuid)?.number ?? 0;
}

function placesOf({ nodes }: WireTopology): Place[] {
  return nodes.map(({ number, uuid, address }) => ({ number, uuid, address }));
}

/** Takes part in the cluster of that topology: dials its members and coordinates requests among them. */
export function joinCluster(options: ClusterOptions): ClusterRooms {
  const { ports, config, rooms, turn, topology, number: self, link } = options;
  const { timers, telemetry } = ports;
  const { store, lamport, replies, held, identity } = rooms;
  store.entries.begin(self, identity.generation);
  const replica = new Replica(store, replies, held, topology.hashSeed);
  const records = new MemberRecords(store);
  const { known } = records;
  const membership = new Membership({
    context: link,
    // Nothing is heard before `start`: by then there is a replication.
    events: {
      onLinked: (peer) => epochs.onUp(peer),
      onUp: (peer) => replication.onUp(peer),
      onDown: (peer) => replication.onDown(peer),
      onUnlinked: (peer) => transfers.onDown(peer),
      onFrame: (peer, bytes, view, start, end) => {
        const epoch = frameEpoch(view, start);
        if (epoch !== epochs.current.epoch) epochs.onShown(peer.number, epoch);
        if (transfers.onReply(peer, bytes, view, start, end)) return;
        if (replication.onReply(peer, bytes, view, start, end)) return;
        if (changes.onReply(peer, bytes, view, start, end)) return;
        if (!epochs.onReply(peer, bytes, view, start, end)) membership.onReply(peer, bytes, view, start, end);
      },
    },
    self: {
      number: self,
      uuid: identity.uuid,
      generation: identity.generation,
      bootNonce: Buffer.from(identity.bootNonce).toString('hex'),
    },
    describe: () => ({ ...options.describe(), epoch: options.epoch(), logEnd: store.syncedLsn }),
    seeds: config.cluster.seeds,
    known,
    voters: () => {
      const voters = votersOf(epochs.current);
      return epochs.current.nodes.filter(({ number }) => voters.includes(number)).map(({ uuid }) => uuid);
    },
    onKnown: (member, number) => {
      records.note(member);
      turn.wake();
      if (member.profile.epoch > epochs.current.epoch) epochs.onShown(number, member.profile.epoch);
    },
    onLiveness: (number, reachable) => replication.onLiveness(number, reachable),
    onAdmitted: () => turn.wake(),
    onRefused: options.onRefused,
  });
  const replication = new Replication({
    self,
    topology,
    store,
    lamport,
    replies,
    held,
    replica,
    turn,
    timers,
    telemetry,
    eviction: config.storage.eviction === 'lru' ? config.storage : undefined,
    random: ports.random,
    durability: config.storage.durability,
    generation: identity.generation,
    links: membership.links,
    reachable: (member) => membership.reachable(member),
  });
  const epochs = new Epochs({
    self,
    generation: identity.generation,
    store,
    timers,
    random: ports.random,
    turn,
    telemetry,
    first: topology,
    links: membership.links,
    isPrepared: (next, onPrepared) => transfers.isPrepared(next, onPrepared),
    onLogging: (next, lsn) => replication.onLogging(next, lsn),
    onEpoch: (next) => {
      options.onEpoch(next);
      // A node that was removed counts its last writes by the owners that there are, like anybody who is none.
      membership.setMembers(placesOf(next));
      replication.onEpoch(next);
      transfers.onEpoch(next);
      changes.onEpoch();
    },
  });
  const transfers = new Transfers({
    self,
    topology,
    store,
    lamport,
    turn,
    timers,
    telemetry,
    links: membership.links,
    reachable: (member) => membership.reachable(member),
    cursorOf: (member) => replication.cursorOf(member),
    isPending: (partition) => replication.hasPendingIn(partition),
    onReturned: () => replication.onReturned(),
    onReleased: (partition, node) => replication.audit.onReleased(partition, node),
  });
  const changes = new Changes({
    self,
    epochs,
    links: membership.links,
    reachable: (member) => membership.reachable(member),
    turn,
    timers,
    random: ports.random,
    telemetry,
    progress: () => transfers.progress(),
    isReleased: (entry) => transfers.isReleased(entry),
    settingRefusal: clusterSettingRefusal,
  });
  const joining = (): string | undefined => {
    if (nodeOf(epochs.current, self)?.standing !== 'joining') return undefined;
    const { filled, partitions } = transfers.progress();
    return `the node is joining: it holds ${filled} of its ${partitions} partitions`;
  };
  membership.start(placesOf(topology));
  records.forgetAllBut((uuid) => membership.swim.others.has(uuid));
  return { epochs, replica, membership, replication, changes, transfers, joining };
}
