import { type FailureDomains, failureDomains } from './failure-domains.js';
import { sumBy } from './groups.js';
import type { RingNode } from './topology.js';

/**
 * The share of the partitions that each node should hold: proportional to its weight, as far as failure domains
 * permit. What a full node, host or zone cannot take goes to the others in proportion (weighted max-min fairness:
 * Bertsekas and Gallager, Data Networks, section 6.5.2).
 *
 * @param nodes in any order
 * @param replicas how many copies of each partition are placed
 * @returns for each node, in the order given, a number in (0, 1]: the part of all partitions of which it holds a
 *   replica. The sum is the number of replicas. Multiply by the number of partitions for slots.
 * @example
 * fairShares([a, b, c, d], 3); // four equal nodes on hosts of their own: [0.75, 0.75, 0.75, 0.75]
 */
export function fairShares(nodes: readonly RingNode[], replicas: number): Float64Array {
  const copies = Math.min(replicas, nodes.length);
  return nestedShares(nodes, failureDomains(nodes, copies), copies);
}

/**
 * The shares are a water level: at level λ a node of weight w has min(1, λ·w), a host the sum of its nodes within its
 * bounds, a zone the sum of its hosts within its own. One level fills all zones to `copies`; a zone at its bound has
 * a level of its own, and so has a host at one of its bounds.
 */
export function nestedShares(nodes: readonly RingNode[], domains: FailureDomains, copies: number): Float64Array {
  const { hostOf, hostZone, hosts, zones, hostFloor, hostRoom, zoneCap } = domains;
  const weights = Float64Array.from(nodes, (node) => node.weight);
  const highest = 1 / weights.reduce((least, weight) => Math.min(least, weight), Number.POSITIVE_INFINITY);

  const nodeShares = (levels: Float64Array): Float64Array => {
    return weights.map((weight, node) => Math.min(1, levels[hostOf[node]] * weight));
  };
  const unbounded = (zoneLevels: Float64Array): Float64Array => {
    return sumBy(nodeShares(Float64Array.from(hostZone, (zone) => zoneLevels[zone])), hostOf, hosts);
  };
  const hostShares = (zoneLevels: Float64Array): Float64Array => {
    return unbounded(zoneLevels).map((share, host) => Math.max(hostFloor[host], Math.min(hostRoom[host], share)));
  };
  const zoneShares = (zoneLevels: Float64Array): Float64Array => sumBy(hostShares(zoneLevels), hostZone, zones);

  const everywhere = levelsFor(1, highest, Float64Array.of(copies), ([level]) => {
    const shares = zoneShares(new Float64Array(zones).fill(level));
    return Float64Array.of(shares.reduce((sum, share) => sum + Math.min(zoneCap, share), 0));
  })[0];
  const zoneTargets = zoneShares(new Float64Array(zones).fill(everywhere)).map((share) => Math.min(zoneCap, share));
  const zoneLevels = levelsFor(zones, highest, zoneTargets, zoneShares);
  const hostLevels = levelsFor(hosts, highest, hostShares(zoneLevels), (levels) => {
    return sumBy(nodeShares(levels), hostOf, hosts);
  });
  return nodeShares(hostLevels);
}

/**
 * For each of several independent vessels the lowest level from 0 to `highest` at which it holds `targets`, by
 * halving all their intervals at once until no double lies between the ends.
 *
 * @param fill how much each holds at given levels; never falls as a level rises
 */
function levelsFor(
  count: number,
  highest: number,
  targets: Float64Array,
  fill: (levels: Float64Array) => Float64Array,
): Float64Array {
  const low = new Float64Array(count);
  const high = new Float64Array(count).fill(highest);
  for (let halving = 0; halving < halvings; halving++) {
    const middle = low.map((level, vessel) => (level + high[vessel]) / 2);
    const held = fill(middle);
    for (let vessel = 0; vessel < count; vessel++) {
      // A target that rounding puts a hair above what fits would be missed for ever without the tolerance.
      if (held[vessel] >= targets[vessel] - tolerance) high[vessel] = middle[vessel];
      else low[vessel] = middle[vessel];
    }
  }
  return high;
}

/** 64 halvings leave 2^-64 of the highest level: below a millionth of a slot for any weights that differ by < 10^9. */
const halvings = 64;

/** Sums of up to 65,535 doubles below 1 are good to about 10^-12 of a share. */
const tolerance = 1e-12;
