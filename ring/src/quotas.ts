import type { FailureDomains } from './failure-domains.js';
import { membersOf, sumBy } from './groups.js';

/** A share that is a whole number of slots but for rounding is taken as that number. */
const tolerance = 1e-6;

/** Slots that belong together: the zones of a ring, the hosts of a zone, the nodes of a host. */
interface Level {
  /** Slots that each member should have. */
  readonly shares: Float64Array;
  /** Slots that it holds now. */
  readonly held: ArrayLike<number>;
  /** The fewest and the most slots that it can have. */
  readonly least: (member: number) => number;
  readonly most: (member: number) => number;
  /** The outcome. */
  readonly quotas: Int32Array;
}

/**
 * Turns shares into whole slots: each node, and the nodes of each host and of each zone together, get their share
 * rounded down or up. Zones are rounded first, then the hosts within each, then the nodes, so that the sums agree;
 * a table with exactly these loads always exists (a flow with whole bounds that has a fractional solution, here each
 * partition with a node's part of the slots, has a whole one).
 *
 * Who is rounded up is free, and used to keep data where it is: first those that hold more already.
 *
 * @param shares the part of all partitions for each node, as from fair-share.ts
 * @param held slots that each node holds now
 * @returns slots per node; the sum is `partitions × replicas`
 */
export function slotQuotas(
  shares: Float64Array,
  held: Int32Array,
  partitions: number,
  replicas: number,
  domains: FailureDomains,
): Int32Array {
  const { hostOf, hosts, hostZone, zones, hostFloor, hostRoom, zoneCap } = domains;
  const zoneFloor = sumBy(hostFloor, hostZone, zones);
  const zoneRoom = sumBy(hostRoom, hostZone, zones);
  const nodes: Level = {
    shares: shares.map((share) => share * partitions),
    held,
    least: () => 0,
    most: () => partitions,
    quotas: new Int32Array(shares.length),
  };
  const machines: Level = {
    shares: sumBy(nodes.shares, hostOf, hosts),
    held: sumBy(held, hostOf, hosts),
    least: (host) => hostFloor[host] * partitions,
    most: (host) => hostRoom[host] * partitions,
    quotas: new Int32Array(hosts),
  };
  const regions: Level = {
    shares: sumBy(machines.shares, hostZone, zones),
    held: sumBy(machines.held, hostZone, zones),
    least: (zone) => zoneFloor[zone] * partitions,
    most: (zone) => Math.min(zoneCap, zoneRoom[zone]) * partitions,
    quotas: new Int32Array(zones),
  };
  apportion(regions, [...regions.quotas.keys()], partitions * replicas);
  for (const [zone, group] of membersOf(hostZone, zones).entries()) apportion(machines, group, regions.quotas[zone]);
  for (const [host, group] of membersOf(hostOf, hosts).entries()) apportion(nodes, group, machines.quotas[host]);
  return nodes.quotas;
}

/** Gives every member of a group its share rounded down, and one slot more to as many as `total` needs. */
function apportion(level: Level, group: readonly number[], total: number): void {
  const { shares, held, least, most, quotas } = level;
  let left = total;
  for (const member of group) {
    quotas[member] = Math.max(least(member), Math.min(most(member), Math.floor(shares[member] + tolerance)));
    left -= quotas[member];
  }
  if (left === 0) return;
  const ranked = group.map((member) => {
    // In units of the tolerance: members that are equal but for rounding are ordered by index.
    const fraction = Math.round((shares[member] - quotas[member]) / tolerance);
    return { member, fraction, excess: Math.min(1, held[member] - quotas[member]) };
  });
  ranked.sort((a, b) => {
    return (
      Number(b.fraction > 1) - Number(a.fraction > 1) ||
      b.excess - a.excess ||
      b.fraction - a.fraction ||
      a.member - b.member
    );
  });
  for (const { member } of ranked) {
    if (left > 0 && quotas[member] < most(member)) {
      quotas[member]++;
      left--;
    }
  }
  // Only when rounding made several shares whole that together are a hair less.
  for (const { member } of ranked.reverse()) {
    if (left < 0 && quotas[member] > least(member)) {
      quotas[member]--;
      left++;
    }
  }
  if (left !== 0) throw new Error('the shares of a group do not add up to its slots');
}
