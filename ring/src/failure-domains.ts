import type { RingNode } from './topology.js';

/**
 * Who fails together: every node belongs to a host, every host to a zone.
 *
 * A partition has at most `hostCap` replicas on one host and `zoneCap` in one zone. Both are the smallest numbers with
 * which all replicas find a place, so 1 where there are enough hosts or zones. Where there are not enough hosts, no
 * host has `hostCap` replicas while another that has room is two behind: `hostFloor` are the replicas it has at least.
 */
export interface FailureDomains {
  readonly hostOf: Uint16Array;
  readonly zoneOf: Uint16Array;
  /** Zone of each host. */
  readonly hostZone: Uint16Array;
  readonly hosts: number;
  readonly zones: number;
  readonly hostCap: number;
  readonly zoneCap: number;
  /** The fewest and the most replicas of a partition on each host. */
  readonly hostFloor: Uint16Array;
  readonly hostRoom: Uint16Array;
}

/**
 * Groups nodes by host and zone and finds the caps for `replicas` copies.
 *
 * A host is in one zone: when its nodes name different ones, the first node (by id) decides, for two replicas on
 * one machine are the worse mistake.
 *
 * @param nodes in canonical order
 * @param replicas at most `nodes.length`
 */
export function failureDomains(nodes: readonly RingNode[], replicas: number): FailureDomains {
  const hostIndex = new Map<string, number>();
  const zoneIndex = new Map<string, number>();
  const hostZones: number[] = [];
  const hostNodes: number[] = [];
  const hostOf = new Uint16Array(nodes.length);
  const zoneOf = new Uint16Array(nodes.length);
  for (const [index, node] of nodes.entries()) {
    // The prefix keeps a node without a host apart from a host that has its name.
    const hostName = node.host === '' ? `node ${node.id}` : `host ${node.host}`;
    let host = hostIndex.get(hostName);
    if (host === undefined) {
      host = hostIndex.size;
      hostIndex.set(hostName, host);
      const zone = zoneIndex.get(node.zone) ?? zoneIndex.size;
      zoneIndex.set(node.zone, zone);
      hostZones.push(zone);
      hostNodes.push(0);
    }
    hostOf[index] = host;
    zoneOf[index] = hostZones[host];
    hostNodes[host]++;
  }
  const hostCap = smallestCap(hostNodes, replicas);
  const hostFloor = Uint16Array.from(hostNodes, (count) => Math.min(count, hostCap - 1));
  const hostRoom = Uint16Array.from(hostNodes, (count) => Math.min(count, hostCap));
  const zoneCap = Math.max(
    smallestCap(sumByZone(hostRoom, hostZones, zoneIndex.size), replicas),
    ...sumByZone(hostFloor, hostZones, zoneIndex.size),
  );
  return {
    hostOf,
    zoneOf,
    hostZone: Uint16Array.from(hostZones),
    hosts: hostIndex.size,
    zones: zoneIndex.size,
    hostCap,
    zoneCap,
    hostFloor,
    hostRoom,
  };
}

function sumByZone(hostValues: Uint16Array, hostZones: readonly number[], zones: number): number[] {
  const sums = new Array<number>(zones).fill(0);
  for (const [host, zone] of hostZones.entries()) sums[zone] += hostValues[host];
  return sums;
}

/** The smallest number of replicas per group with which `replicas` fit into groups of the given room. */
function smallestCap(rooms: readonly number[], replicas: number): number {
  let cap = 1;
  while (rooms.reduce((sum, room) => sum + Math.min(cap, room), 0) < replicas) cap++;
  return cap;
}
