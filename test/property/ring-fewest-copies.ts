import type { Placement, RingNode } from 'hash-ring-ts';
import { idsOf, loadsOf, machineOf, ownersOf } from './ring-topologies.js';

interface Arc {
  readonly to: number;
  readonly cost: number;
  room: number;
}

/**
 * The slow, obvious oracle of movement: the fewest copies with which the loads of `after` can be reached from
 * `before` by any table that obeys the same spread over hosts and zones. A minimum-cost flow
 * partition → zone → host → node by successive shortest paths.
 */
export function fewestCopies(
  before: Placement,
  beforeNodes: readonly RingNode[],
  after: Placement,
  afterNodes: readonly RingNode[],
): number {
  const rows = ownersOf(after, afterNodes);
  const most = (group: (node: RingNode) => string): number => {
    return Math.max(...rows.map((row) => Math.max(...row.map((a) => row.filter((b) => group(a) === group(b)).length))));
  };
  const hostCap = most(machineOf);
  const zoneCap = most((node) => node.zone);
  const zoneOfMachine = new Map(afterNodes.map((node) => [machineOf(node), node.zone]));

  const network = new Network();
  const source = network.vertex();
  const sink = network.vertex();
  const nodeVertex = new Map<string, number>();
  for (const [node, load] of loadsOf(after, afterNodes)) {
    nodeVertex.set(node.id, network.vertex());
    network.connect(nodeVertex.get(node.id) ?? source, sink, load, 0);
  }
  for (const former of ownersOf(before, beforeNodes)) {
    const owned = new Set(idsOf(former));
    const root = network.vertex();
    network.connect(source, root, after.replicas, 0);
    const zones = new Map<string, number>();
    const machines = new Map<string, number>();
    for (const zone of new Set(zoneOfMachine.values())) {
      zones.set(zone, network.vertex());
      network.connect(root, zones.get(zone) ?? root, zoneCap, 0);
    }
    for (const [machine, zone] of zoneOfMachine) {
      machines.set(machine, network.vertex());
      network.connect(zones.get(zone) ?? root, machines.get(machine) ?? root, hostCap, 0);
    }
    for (const node of afterNodes) {
      const cost = owned.has(node.id) ? 0 : 1;
      network.connect(machines.get(machineOf(node)) ?? root, nodeVertex.get(node.id) ?? sink, 1, cost);
    }
  }
  return network.cheapestFlow(source, sink);
}

class Network {
  readonly #out: number[][] = [];
  /** An arc and its reverse are neighbours: `index ^ 1`. */
  readonly #arcs: Arc[] = [];

  vertex(): number {
    return this.#out.push([]) - 1;
  }

  connect(from: number, to: number, room: number, cost: number): void {
    this.#out[from]?.push(this.#arcs.push({ to, room, cost }) - 1);
    this.#out[to]?.push(this.#arcs.push({ to: from, room: 0, cost: -cost }) - 1);
  }

  /** The cost of the cheapest of the largest flows. */
  cheapestFlow(source: number, sink: number): number {
    let cost = 0;
    for (let path = this.#cheapestPath(source, sink); path !== undefined; path = this.#cheapestPath(source, sink)) {
      for (const arc of path) {
        const [forth, back] = [this.#arcs[arc], this.#arcs[arc ^ 1]];
        if (forth === undefined || back === undefined) throw new Error('an arc without its reverse');
        forth.room--;
        back.room++;
        cost += forth.cost;
      }
    }
    return cost;
  }

  /** Bellman–Ford with a queue. */
  #cheapestPath(source: number, sink: number): number[] | undefined {
    const cost = new Array<number>(this.#out.length).fill(Number.POSITIVE_INFINITY);
    const reachedBy = new Array<number>(this.#out.length).fill(-1);
    cost[source] = 0;
    let queue = new Set([source]);
    while (queue.size > 0) {
      const following = new Set<number>();
      for (const from of queue) {
        for (const arc of this.#out[from] ?? []) {
          const { to, room, cost: step } = this.#arcs[arc] ?? { to: from, room: 0, cost: 0 };
          const total = (cost[from] ?? 0) + step;
          if (room === 0 || total >= (cost[to] ?? 0)) continue;
          cost[to] = total;
          reachedBy[to] = arc;
          following.add(to);
        }
      }
      queue = following;
    }
    if (cost[sink] === Number.POSITIVE_INFINITY) return undefined;
    const path: number[] = [];
    for (let vertex = sink; vertex !== source; ) {
      const arc = reachedBy[vertex] ?? -1;
      path.push(arc);
      vertex = this.#arcs[arc ^ 1]?.to ?? source;
    }
    return path;
  }
}
