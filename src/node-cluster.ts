import { frameEpoch, type WireTopology } from '@memdb/protocol';
import type { Sighting } from './membership/heartbeat.js';
import { Membership } from './membership/membership.js';
import type { PeerLinkContext } from './membership/peer-link.js';
import { loadMoves, saveMove } from './node-meta.js';
import type { NodeConfig, NodePorts } from './node-options.js';
import type { NodeRooms } from './node-recovery.js';
import { parseAddress } from './ports/address.js';
import type { Turn } from './ports/turn.js';
import { Replica } from './replication/replica.js';
import { Replication } from './replication/replication.js';
import { Epochs } from './topology/epochs.js';
import { Transfers } from './topology/transfers/transfers.js';

/** What a node has once it belongs to a cluster. */
export interface ClusterRooms {
  readonly epochs: Epochs;
  readonly replica: Replica;
  readonly membership: Membership;
  readonly replication: Replication;
  readonly transfers: Transfers;
}

export interface ClusterOptions {
  readonly ports: NodePorts;
  readonly config: NodeConfig;
  readonly rooms: NodeRooms;
  readonly turn: Turn;
  readonly topology: WireTopology;
  /** This node as a member. */
  readonly self: Sighting;
  readonly link: PeerLinkContext;
  /** An epoch is in force from now on: told before anything else of the cluster is. */
  readonly onEpoch: (topology: WireTopology) => void;
}

/** Number of the member with that UUID; 0 for a stranger, and before founding. */
export function memberNumber(topology: WireTopology | undefined, uuid: string): number {
  return topology?.nodes.find((node) => node.uuid === uuid)?.number ?? 0;
}

/** Takes part in the cluster of that topology: dials its members and coordinates requests among them. */
export function joinCluster(options: ClusterOptions): ClusterRooms {
  const { ports, config, rooms, turn, topology, self, link } = options;
  const { timers, telemetry } = ports;
  const { store, lamport, replies, held } = rooms;
  const replica = new Replica(store, replies, held, topology.hashSeed);
  const moves = loadMoves(store);
  const membership = new Membership({
    context: link,
    // Nothing is heard before `start`: by then there is a replication.
    events: {
      onUp: (peer) => {
        epochs.onUp(peer);
        replication.onUp(peer);
      },
      onDown: (peer) => {
        replication.onDown(peer);
        transfers.onDown(peer);
      },
      onFrame: (peer, bytes, view, start, end) => {
        const epoch = frameEpoch(view, start);
        if (epoch !== epochs.current.epoch) epochs.onShown(peer.number, epoch);
        if (transfers.onReply(peer, bytes, view, start, end)) return;
        if (replication.onReply(peer, bytes, view, start, end)) return;
        if (!epochs.onReply(peer, bytes, view, start, end)) membership.onReply(bytes, view, start, end);
      },
    },
    self,
    seeds: config.cluster.seeds,
    onMoved: (sighting) => saveMove(store, sighting),
    numberOf: (uuid) => memberNumber(epochs.current, uuid),
    onLiveness: (number, reachable) => replication.onLiveness(number, reachable),
  });
  const replication = new Replication({
    self: self.number,
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
    links: membership.links,
    reachable: (member) => membership.reachable(member),
  });
  const sightingsOf = ({ nodes }: WireTopology): Sighting[] =>
    nodes.map((node) => {
      return moves.get(node.number) ?? { number: node.number, generation: 0, address: parseAddress(node.address) };
    });
  const epochs = new Epochs({
    self: self.number,
    generation: self.generation,
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
      if (memberNumber(next, rooms.identity.uuid) === 0) return;
      membership.setMembers(sightingsOf(next));
      replication.onEpoch(next);
      transfers.onEpoch(next);
    },
  });
  const transfers = new Transfers({
    self: self.number,
    topology,
    store,
    lamport,
    turn,
    timers,
    telemetry,
    links: membership.links,
    reachable: (member) => membership.reachable(member),
    cursorOf: (member) => replication.cursorOf(member),
    isPending: (partition) => replication.writes.hasPendingIn(partition),
    onReturned: () => replication.onReturned(),
    onReleased: (partition, node) => replication.audit.onReleased(partition, node),
  });
  membership.start(sightingsOf(topology));
  return { epochs, replica, membership, replication, transfers };
}
