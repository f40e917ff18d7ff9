import { BodyReader } from './body-reader.js';
import {
  ADDRESS_BYTES_MAX,
  NAME_BYTES_MAX,
  NODES_MAX,
  PARTITIONS_MAX,
  REPLICAS_MAX,
  TOPOLOGY_FIXED_BYTES,
  TOPOLOGY_NODE_FIXED_BYTES,
} from './limits.js';
import {
  readTopologyRest,
  topologyRestBytes,
  type WireFormerOwner,
  type WirePending,
  type WireRemoved,
  type WireSetting,
  writeTopologyRest,
} from './topology-rest.js';
import { formatUuid, parseUuid, UUID_BYTES } from './uuid.js';

/**
 * What a node is to its cluster. A `member` votes on epochs. One that is `joining` is named by the pending change that
 * admits it. One that is `departing` has left: it owns nothing and votes on nothing, and hands over what it still has.
 */
export type NodeStanding = 'member' | 'joining' | 'departing';
const STANDINGS: readonly NodeStanding[] = ['member', 'joining', 'departing'];

/** A node as the topology names it. */
export interface WireNode {
  /** From 1; never reused in a cluster. */
  readonly number: number;
  readonly uuid: string;
  readonly standing: NodeStanding;
  /** Share of the data relative to the others, in hundredths: 0 to 655.35. */
  readonly weight: number;
  /** "host:port" that clients and nodes dial. */
  readonly address: string;
  /** "host:port" of its http listener, empty for none. */
  readonly http: string;
  readonly zone: string;
  /** Name of the machine, the smallest failure domain. */
  readonly host: string;
}

/** One epoch: who owns what, and all else that its nodes agree on. As it travels and as it is logged. */
export interface WireTopology {
  /** From 1. */
  readonly epoch: number;
  readonly clusterId: Uint8Array;
  /** Seed of `keyHash`. */
  readonly hashSeed: number;
  /** A power of two. */
  readonly partitions: number;
  /** Owners that each partition has: the replication factor, or the number of nodes while there are fewer. */
  readonly replicas: number;
  readonly nodes: readonly WireNode[];
  /** Node numbers: partition p's preference list is `owners[p × replicas]` and the `replicas - 1` that follow. */
  readonly owners: Uint16Array;
  /** The change that is under way; undefined in a committed epoch. */
  readonly pending: WirePending | undefined;
  /** Owners that each partition is to have once there are enough nodes. */
  readonly replicationFactor: number;
  /** The highest node number that was ever given. */
  readonly highestNumber: number;
  /** Settings of the whole cluster, by name, in the order of their names. */
  readonly settings: readonly WireSetting[];
  /** Nodes that were removed, for good: neither their numbers nor their directories come back. */
  readonly removed: readonly WireRemoved[];
  /** Nodes that owned a partition once and may still have something that its owners lack. */
  readonly former: readonly WireFormerOwner[];
}

/**
 * Encodes a topology (PROTOCOL.md, "Topology"). Throws RangeError for one that `decodeTopology` would refuse:
 * encoding is checked as strictly as decoding.
 */
export function encodeTopology(topology: WireTopology): Uint8Array {
  const encoder = new TextEncoder();
  const texts: Uint8Array[] = [];
  let length = TOPOLOGY_FIXED_BYTES + topology.owners.length * 2 + topologyRestBytes(topology);
  for (const node of topology.nodes) {
    length += TOPOLOGY_NODE_FIXED_BYTES;
    for (const text of [node.address, node.http, node.zone, node.host]) {
      const encoded = encoder.encode(text);
      texts.push(encoded);
      length += encoded.length;
    }
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, topology.epoch, true);
  bytes.set(topology.clusterId.subarray(0, UUID_BYTES), 4);
  view.setUint32(20, topology.hashSeed, true);
  view.setUint32(24, topology.partitions, true);
  view.setUint8(28, topology.replicas);
  view.setUint8(29, topology.pending === undefined ? 0 : topology.pending.isPaused ? 2 : 1);
  view.setUint16(30, topology.nodes.length, true);
  let at = TOPOLOGY_FIXED_BYTES;
  for (const [index, node] of topology.nodes.entries()) {
    view.setUint16(at, node.number, true);
    bytes.set(parseUuid(node.uuid), at + 2);
    view.setUint16(at + 18, Math.round(node.weight * 100), true);
    view.setUint8(at + 20, STANDINGS.indexOf(node.standing));
    at += 22;
    for (const text of texts.slice(index * 4, index * 4 + 4)) {
      view.setUint16(at, text.length, true);
      bytes.set(text, at + 2);
      at += 2 + text.length;
    }
  }
  for (let index = 0; index < topology.owners.length; index++) {
    view.setUint16(at + index * 2, topology.owners[index], true);
  }
  writeTopologyRest(topology, bytes, view, at + topology.owners.length * 2);
  refuseBrokenTopology(topology, bytes, view);
  return bytes;
}

/** A field that does not fit wraps in silence: only reading back shows it. */
function refuseBrokenTopology(topology: WireTopology, bytes: Uint8Array, view: DataView): void {
  try {
    const back = decodeTopology(bytes, view, 0, bytes.length);
    if (back.epoch !== topology.epoch || back.hashSeed !== topology.hashSeed) {
      throw new RangeError('epoch or hash seed is no unsigned 32-bit integer');
    }
    for (const [index, node] of back.nodes.entries()) {
      const given = topology.nodes[index];
      if (node.number !== given.number || Math.abs(node.weight - given.weight) > 0.0051) {
        throw new RangeError(`number ${given.number} or weight ${given.weight} of node ${given.uuid} is out of range`);
      }
    }
  } catch (cause) {
    throw new RangeError(`a topology that cannot be encoded: ${cause instanceof Error ? cause.message : ''}`, {
      cause,
    });
  }
}

/**
 * Reads the topology in `bytes[start, end)`; nothing of the result refers to `bytes`. Throws ProtocolError for one
 * that contradicts itself: nobody routes by a topology in which an owner is unknown or named twice.
 */
export function decodeTopology(bytes: Uint8Array, view: DataView, start: number, end: number): WireTopology {
  const reader = new BodyReader('topology', bytes, view, start, end);
  const epoch = reader.u32('epoch');
  if (epoch === 0) reader.fail('epoch 0');
  const clusterId = reader.bytes(UUID_BYTES, 'cluster id');
  const hashSeed = reader.u32('hash seed');
  const partitions = reader.u32('number of partitions');
  if (partitions === 0 || partitions > PARTITIONS_MAX || (partitions & (partitions - 1)) !== 0) {
    reader.fail(`${partitions} partitions, a power of two up to ${PARTITIONS_MAX} is accepted`);
  }
  const replicas = reader.u8('number of replicas');
  const state = reader.u8('state');
  if (state > 2) reader.fail(`state ${state}`);
  const nodeCount = reader.u16('number of nodes');
  if (nodeCount > NODES_MAX) reader.fail(`${nodeCount} nodes, at most ${NODES_MAX} are accepted`);
  if (replicas === 0 || replicas > REPLICAS_MAX || replicas > nodeCount) {
    reader.fail(`${replicas} replicas on ${nodeCount} nodes, 1 to ${REPLICAS_MAX} are accepted`);
  }
  const nodes = readNodes(reader, nodeCount);
  const owners = readOwners(reader, view, nodes, ['member'], partitions, replicas);
  const rest = readTopologyRest(reader, state, nodes, partitions);
  const { pendingChange, ...agreed } = rest;
  let pending: WirePending | undefined;
  if (pendingChange !== undefined) {
    const next = readOwners(reader, view, nodes, ['member', 'joining'], partitions, pendingChange.replicas);
    pending = { ...pendingChange, owners: next };
  }
  reader.finish();
  return { epoch, clusterId, hashSeed, partitions, replicas, nodes, owners, pending, ...agreed };
}

function readNodes(reader: BodyReader, count: number): WireNode[] {
  const nodes: WireNode[] = [];
  const uuids = new Set<string>();
  const numbers = new Set<number>();
  for (let index = 0; index < count; index++) {
    const number = reader.u16('node number');
    const uuid = formatUuid(reader.bytes(UUID_BYTES, 'node uuid'));
    if (number === 0 || numbers.has(number) || uuids.has(uuid))
      reader.fail(`node ${number}, ${uuid}: zero or named twice`);
    numbers.add(number);
    uuids.add(uuid);
    nodes.push({
      number,
      uuid,
      weight: reader.u16('weight') / 100,
      standing: readStanding(reader),
      address: reader.text(reader.u16('address length'), ADDRESS_BYTES_MAX, 'address'),
      http: reader.text(reader.u16('http length'), ADDRESS_BYTES_MAX, 'http address'),
      zone: reader.text(reader.u16('zone length'), NAME_BYTES_MAX, 'zone'),
      host: reader.text(reader.u16('host length'), NAME_BYTES_MAX, 'host'),
    });
  }
  return nodes;
}

function readStanding(reader: BodyReader): NodeStanding {
  const standing = STANDINGS[reader.u8('standing')];
  if (standing === undefined) return reader.fail('a standing that is not known');
  reader.zeros(1);
  return standing;
}

function readOwners(
  reader: BodyReader,
  view: DataView,
  nodes: readonly WireNode[],
  standings: readonly NodeStanding[],
  partitions: number,
  replicas: number,
): Uint16Array {
  const at = reader.skip(partitions * replicas * 2, 'owners');
  const known = new Uint8Array(65_536);
  for (const node of nodes) if (standings.includes(node.standing)) known[node.number] = 1;
  const owners = new Uint16Array(partitions * replicas);
  for (let index = 0; index < owners.length; index++) {
    const owner = view.getUint16(at + index * 2, true);
    if (known[owner] !== 1) reader.fail(`owner ${owner} is no node that may own anything`);
    const listStart = index - (index % replicas);
    for (let earlier = listStart; earlier < index; earlier++) {
      if (owners[earlier] === owner) reader.fail(`node ${owner} owns partition ${Math.floor(index / replicas)} twice`);
    }
    owners[index] = owner;
  }
  return owners;
}
