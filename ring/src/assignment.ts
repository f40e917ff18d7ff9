import type { FailureDomains } from './failure-domains.js';
import type { NamedPlacement } from './topology.js';

/**
 * A table in the making. Every slot always has an owner; one that no node owns belongs to a placeholder:
 *
 * - `nodes` itself stands for "nobody", and is on no host;
 * - `nodes + 1 + host` stands for "some node of this host", and holds the slots that the host must have at least.
 *
 * Placeholders have no quota. So filling a slot and moving it from one node to another are the same step,
 * {@link swap}, and every table on the way keeps the bounds of hosts and zones.
 */
export interface Assignment {
  readonly partitions: number;
  readonly replicas: number;
  readonly nodes: number;
  readonly hosts: number;
  /** Host and zone of nodes and placeholders; "nobody" is on a host and in a zone beyond the last. */
  readonly hostOf: Uint32Array;
  readonly zoneOf: Uint32Array;
  readonly domains: FailureDomains;
  /** Slots that each node should hold; 0 for placeholders. */
  readonly quotas: Int32Array;
  /** Slots that each node or placeholder holds. */
  readonly load: Int32Array;
  /** `partitions × replicas` owners. */
  readonly owners: Int32Array;
  /** Who owned each partition before, `formerReplicas` entries each; -1 for nodes that are gone. */
  readonly former: Int32Array;
  readonly formerReplicas: number;
}

/** A table in which placeholders own every slot. */
export function emptyAssignment(
  partitions: number,
  replicas: number,
  domains: FailureDomains,
  nodeQuotas: Int32Array,
  former: Int32Array,
): Assignment {
  const nodes = nodeQuotas.length;
  const { hosts, zones, hostFloor, hostZone } = domains;
  const row: number[] = [];
  for (const [host, floor] of hostFloor.entries()) {
    for (let copy = 0; copy < floor; copy++) row.push(nodes + 1 + host);
  }
  while (row.length < replicas) row.push(nodes);
  const owners = new Int32Array(partitions * replicas);
  const load = new Int32Array(nodes + 1 + hosts);
  for (let slot = 0; slot < owners.length; slot++) {
    owners[slot] = row[slot % replicas];
    load[owners[slot]]++;
  }
  const quotas = new Int32Array(load.length);
  quotas.set(nodeQuotas);
  return {
    partitions,
    replicas,
    nodes,
    hosts,
    hostOf: Uint32Array.from([...domains.hostOf, hosts, ...hostZone.keys()]),
    zoneOf: Uint32Array.from([...domains.zoneOf, zones, ...hostZone]),
    domains,
    quotas,
    load,
    owners,
    former,
    formerReplicas: former.length / partitions,
  };
}

/** The owners before, as indexes into `ids`; -1 where the owner is not among them. */
export function formerOwners(previous: NamedPlacement, ids: readonly string[]): Int32Array {
  const indexOf = new Map(ids.map((id, index) => [id, index]));
  const translated = Int32Array.from(previous.ids, (id) => indexOf.get(id) ?? -1);
  return Int32Array.from(previous.placement.owners, (owner) => translated[owner]);
}

/** Slots that each of `nodes` nodes held in the former table. */
export function formerLoads(former: Int32Array, nodes: number): Int32Array {
  const loads = new Int32Array(nodes);
  for (const node of former) if (node >= 0) loads[node]++;
  return loads;
}

/** Whether the owner held a copy of the partition before, so that none has to be made. */
export function ownedBefore(assignment: Assignment, partition: number, owner: number): boolean {
  const { former, formerReplicas } = assignment;
  const start = partition * formerReplicas;
  for (let index = start; index < start + formerReplicas; index++) if (former[index] === owner) return true;
  return false;
}

/** Whether the owner of `slot` may go without a node of its host in its place. */
export function mayLeaveHost(assignment: Assignment, slot: number): boolean {
  const { owners, replicas, hostOf, hosts, domains } = assignment;
  const host = hostOf[owners[slot]];
  if (host === hosts) return true;
  let inHost = 0;
  const start = slot - (slot % replicas);
  for (let other = start; other < start + replicas; other++) if (hostOf[owners[other]] === host) inHost++;
  return inHost > domains.hostFloor[host];
}

/**
 * Whether `node` may take over `slot`: it does not hold the partition, its host and zone have room, and the host of
 * the owner now keeps what it must have.
 */
export function mayTake(assignment: Assignment, slot: number, node: number): boolean {
  const { owners, replicas, domains, hostOf, zoneOf } = assignment;
  const host = hostOf[node];
  const zone = zoneOf[node];
  const start = slot - (slot % replicas);
  let inHost = 0;
  let inZone = 0;
  for (let other = start; other < start + replicas; other++) {
    const owner = owners[other];
    if (owner === node) return false;
    if (other === slot) continue;
    if (hostOf[owner] === host) inHost++;
    if (zoneOf[owner] === zone) inZone++;
  }
  if (inHost >= domains.hostCap || inZone >= domains.zoneCap) return false;
  return host === hostOf[owners[slot]] || domains.hostCap === 1 || mayLeaveHost(assignment, slot);
}

/** Gives `slot` to `owner`. */
export function swap(assignment: Assignment, slot: number, owner: number): void {
  assignment.load[assignment.owners[slot]]--;
  assignment.load[owner]++;
  assignment.owners[slot] = owner;
}
