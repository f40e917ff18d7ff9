import type { Assignment } from './assignment.js';

/**
 * Orders the owners of each partition so that every node comes first, second, and so on equally often for the slots
 * it holds: the first owner coordinates, the second steps in when the first is down.
 *
 * Rank by rank: a node with `open` slots in ranks not yet settled should get `open / ranks left` of this one, rounded
 * down or up. Giving each owner of a partition an equal part of the rank is a fractional solution, so a whole one
 * exists, and chains of exchanges within partitions reach it. Exchanges copy no data. Owners keep the order they are
 * in as far as that allows.
 */
export function balancePreference(assignment: Assignment): void {
  const { replicas, nodes, load } = assignment;
  const open = load.slice(0, nodes);
  for (let rank = 0; rank < replicas - 1; rank++) {
    const ranksLeft = replicas - rank;
    const least = open.map((slots) => Math.floor(slots / ranksLeft));
    const most = open.map((slots) => Math.ceil(slots / ranksLeft));
    const held = rankLoads(assignment, rank);
    exchangeDirectly(assignment, rank, held, least);
    exchangeDirectly(assignment, rank, held, most);
    while (relieve(assignment, rank, held, least, most));
    for (const [node, slots] of held.entries()) open[node] -= slots;
  }
}

function rankLoads(assignment: Assignment, rank: number): Int32Array {
  const held = new Int32Array(assignment.nodes);
  for (let partition = 0; partition < assignment.partitions; partition++) {
    held[assignment.owners[partition * assignment.replicas + rank]]++;
  }
  return held;
}

/**
 * One pass over the partitions that gives the rank to the owner which has it least for what it should have, where
 * that brings both nearer to `wanted`. Leaves a handful of chains to be found, instead of one per slot.
 */
function exchangeDirectly(assignment: Assignment, rank: number, held: Int32Array, wanted: Int32Array): void {
  const { owners, partitions, replicas } = assignment;
  for (let partition = 0; partition < partitions; partition++) {
    const first = partition * replicas + rank;
    if (held[owners[first]] <= wanted[owners[first]]) continue;
    let best = first;
    let bestExcess = 0;
    for (let slot = first + 1; slot < (partition + 1) * replicas; slot++) {
      const excess = held[owners[slot]] - wanted[owners[slot]];
      if (excess < bestExcess) {
        best = slot;
        bestExcess = excess;
      }
    }
    if (best !== first) exchange(assignment, held, first, best);
  }
}

/** Exchanges the owner at a rank with a later owner of the same partition. */
function exchange(assignment: Assignment, held: Int32Array, first: number, slot: number): void {
  const { owners } = assignment;
  held[owners[first]]--;
  held[owners[slot]]++;
  [owners[first], owners[slot]] = [owners[slot], owners[first]];
}

/**
 * Takes the rank once from a node that has it too often and gives it, along a shortest chain of exchanges, to one
 * that may have it more often; or, when nobody has it too often, feeds one that has it too seldom.
 *
 * @returns false when every node is within bounds
 */
function relieve(assignment: Assignment, rank: number, held: Int32Array, least: Int32Array, most: Int32Array): boolean {
  const tooOften = held.some((slots, node) => slots > most[node]);
  if (!tooOften && held.every((slots, node) => slots >= least[node])) return false;
  const bound = tooOften ? most : least;
  const gives = (node: number): boolean => held[node] > bound[node];
  const takes = (node: number): boolean => held[node] < bound[node];
  const chain = exchangeChain(assignment, rank, gives, takes);
  if (chain === undefined) throw new Error('the owners of the partitions cannot be ordered evenly');
  for (const { partition, slot } of chain) {
    exchange(assignment, held, partition * assignment.replicas + rank, slot);
  }
  return true;
}

interface Exchange {
  readonly partition: number;
  /** The slot whose owner moves up to the rank. */
  readonly slot: number;
}

function exchangeChain(
  assignment: Assignment,
  rank: number,
  gives: (node: number) => boolean,
  takes: (node: number) => boolean,
): Exchange[] | undefined {
  const { owners, partitions, replicas, nodes } = assignment;
  const partitionsOf: number[][] = Array.from({ length: nodes }, () => []);
  for (let partition = 0; partition < partitions; partition++) {
    partitionsOf[owners[partition * replicas + rank]].push(partition);
  }
  const reachedBy = new Array<Exchange | undefined>(nodes);
  const queue: number[] = [];
  for (let node = 0; node < nodes; node++) if (gives(node)) queue.push(node);
  const sources = new Set(queue);
  for (const node of queue) {
    for (const partition of partitionsOf[node]) {
      for (let slot = partition * replicas + rank + 1; slot < (partition + 1) * replicas; slot++) {
        const other = owners[slot];
        if (sources.has(other) || reachedBy[other] !== undefined) continue;
        reachedBy[other] = { partition, slot };
        if (takes(other)) return chainTo(other);
        queue.push(other);
      }
    }
  }
  return undefined;

  function chainTo(end: number): Exchange[] {
    const chain: Exchange[] = [];
    let step = reachedBy[end];
    while (step !== undefined) {
      chain.push(step);
      step = reachedBy[owners[step.partition * replicas + rank]];
    }
    return chain;
  }
}
