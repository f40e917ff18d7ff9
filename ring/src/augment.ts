import { type Assignment, mayLeaveHost, mayTake, ownedBefore, swap } from './assignment.js';
import { membersOf } from './groups.js';

/**
 * Brings every node to exactly its quota by chains of moves: a node above its quota gives a slot to another, which
 * gives one of its own to a third, and so on until a node below its quota. Each chain is a cheapest augmenting path
 * of the flow partition → zone → host → node (Ford and Fulkerson; the cost of a step is 1 when a copy that exists is
 * given up, else 0), so the loop ends, and ends with every quota met, whenever a table with these loads exists.
 *
 * quotas.ts only sets quotas for which it does.
 */
export function augment(assignment: Assignment): void {
  while (assignment.load.some((held, owner) => held > assignment.quotas[owner])) {
    const path = cheapestPath(assignment);
    if (path === undefined) throw new Error('no table has these loads: the quotas contradict the failure domains');
    for (const step of path) swap(assignment, step.slot, step.node);
  }
}

interface Step {
  readonly slot: number;
  /** Who takes the slot over. */
  readonly node: number;
}

/**
 * Breadth-first search with costs of 0 and 1 (a list per cost) from all nodes above their quota at once.
 *
 * The vertices are nodes and *opened slots*: slots whose owner would be taken out. What an opened slot offers
 * depends only on whether its partition, its owner's zone within it or its owner's host within it is where the new
 * owner comes in, and each of these is worth entering once. That makes the chain a simple path of the flow network,
 * so all its steps are allowed together although each was only checked by itself.
 */
function cheapestPath(assignment: Assignment): Step[] | undefined {
  const { owners, replicas, nodes, load, quotas, hostOf, zoneOf, domains } = assignment;
  const slotsOf = slotsByOwner(assignment);
  const reachedBy = new Int32Array(load.length).fill(unreached);
  const entered = new Set<number>();
  const nodesOfHost = membersOf(domains.hostOf, domains.hosts);
  const nodesOfZone = membersOf(domains.zoneOf, domains.zones);
  const everyNode = Array.from({ length: nodes }, (_, node) => node);

  /** Owners as they are, slots as ~slot. */
  let level: number[] = [];
  for (let owner = 0; owner < load.length; owner++) {
    if (load[owner] <= quotas[owner]) continue;
    reachedBy[owner] = source;
    level.push(owner);
  }
  while (level.length > 0) {
    const dearer: number[] = [];
    // The list grows while it is walked: what costs nothing more is met in this round.
    for (const vertex of level) {
      if (vertex < 0) {
        offer(~vertex);
        continue;
      }
      if (load[vertex] < quotas[vertex]) return pathTo(vertex);
      for (const slot of slotsOf[vertex]) {
        const copyGivenUp = ownedBefore(assignment, Math.floor(slot / replicas), vertex);
        (copyGivenUp ? dearer : level).push(~slot);
      }
    }
    level = dearer;
  }
  return undefined;

  function offer(slot: number): void {
    const host = hostOf[owners[slot]];
    const zone = zoneOf[owners[slot]];
    const base = Math.floor(slot / replicas) * (1 + domains.zones + domains.hosts);
    if (mayLeaveHost(assignment, slot)) {
      if (enter(base)) offerTo(slot, everyNode);
      if (zone < domains.zones && enter(base + 1 + zone)) offerTo(slot, nodesOfZone[zone]);
    }
    if (host < domains.hosts && enter(base + 1 + domains.zones + host)) offerTo(slot, nodesOfHost[host]);
  }

  function enter(vertex: number): boolean {
    if (entered.has(vertex)) return false;
    entered.add(vertex);
    return true;
  }

  function offerTo(slot: number, candidates: readonly number[]): void {
    for (const node of candidates) {
      if (reachedBy[node] !== unreached || !mayTake(assignment, slot, node)) continue;
      reachedBy[node] = slot;
      level.push(node);
    }
  }

  function pathTo(end: number): Step[] {
    const steps: Step[] = [];
    for (let node = end; reachedBy[node] !== source; node = owners[reachedBy[node]]) {
      steps.push({ slot: reachedBy[node], node });
    }
    return steps;
  }
}

/** Marks of a node that no slot leads to yet, and of one that needs none. */
const unreached = -1;
const source = -2;

function slotsByOwner(assignment: Assignment): number[][] {
  const slots: number[][] = Array.from(assignment.load, () => []);
  for (const [slot, owner] of assignment.owners.entries()) slots[owner].push(slot);
  return slots;
}
