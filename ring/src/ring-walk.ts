import { type Assignment, mayTake, swap } from './assignment.js';
import { partitionStarts, type TokenRing } from './token-ring.js';

/** A ring being walked: who is on it, and a short cut past those that want nothing. */
interface Walk {
  readonly assignment: Assignment;
  readonly ring: TokenRing;
  /** First token of each partition. */
  readonly starts: Uint32Array;
  /** For each token one at or after it, up to which all nodes have their quota. Links grow as they are followed. */
  readonly skip: Uint32Array;
  /** The partition whose walk met the node last. */
  readonly metBy: Int32Array;
  /** Nodes below their quota. */
  wanting: number;
}

/**
 * Fills and moves slots by walking the ring: each partition looks, from its start clockwise, for nodes below their
 * quota, and gives them the slots of owners above theirs, slots of nobody first. This is the preference list of Dynamo
 * (DeCandia et al. 2007, section 4.6) with the rule of consistent hashing with bounded loads (Mirrokni, Thorup,
 * Zadimoghaddam 2016): a full node is passed over.
 *
 * The first round looks only at as many nodes as a partition has replicas, the next at four times as many, the last
 * at all, so that partitions which come late in a round are not left with strangers. No step is undone, so a few
 * slots may be left over that no single step can place: augment.ts moves others out of their way.
 */
export function walkRing(assignment: Assignment, ring: TokenRing): void {
  const starts = partitionStarts(ring, assignment.partitions);
  for (const reach of [assignment.replicas, 4 * assignment.replicas, Number.POSITIVE_INFINITY]) {
    const walk: Walk = {
      assignment,
      ring,
      starts,
      skip: Uint32Array.from(ring.nodes.keys()),
      metBy: new Int32Array(assignment.nodes).fill(-1),
      wanting: assignment.quotas.reduce((count, quota, node) => count + (assignment.load[node] < quota ? 1 : 0), 0),
    };
    for (let partition = 0; partition < assignment.partitions && walk.wanting > 0; partition++) {
      if (hasDonor(assignment, partition)) walkFrom(walk, partition, reach);
    }
  }
}

/** Walks from a partition's start until its slots are settled or `reach` nodes were met. */
function walkFrom(walk: Walk, partition: number, reach: number): void {
  const { assignment, ring, metBy } = walk;
  const { load, quotas } = assignment;
  const tokens = ring.nodes.length;
  let token = walk.starts[partition];
  let met = 0;
  for (let passed = 0; passed < tokens && met < reach && walk.wanting > 0; passed++) {
    if (reach === Number.POSITIVE_INFINITY) {
      const wanted = firstWanting(walk, token);
      passed += (wanted - token + tokens) % tokens;
      token = wanted;
    }
    const node = ring.nodes[token];
    token = token + 1 === tokens ? 0 : token + 1;
    if (metBy[node] === partition) continue;
    metBy[node] = partition;
    met++;
    if (load[node] >= quotas[node]) continue;
    const slot = slotToGive(assignment, partition, node);
    if (slot < 0) continue;
    swap(assignment, slot, node);
    if (load[node] === quotas[node]) walk.wanting--;
    if (!hasDonor(assignment, partition)) return;
  }
}

/** The first token at or after this one whose node is below its quota; there is one. Union-find with path halving. */
function firstWanting(walk: Walk, from: number): number {
  const { skip, ring } = walk;
  const { load, quotas } = walk.assignment;
  let token = from;
  while (true) {
    if (skip[token] === token) {
      const node = ring.nodes[token];
      if (load[node] < quotas[node]) return token;
      skip[token] = token + 1 === skip.length ? 0 : token + 1;
    }
    skip[token] = skip[skip[token]];
    token = skip[token];
  }
}

function hasDonor(assignment: Assignment, partition: number): boolean {
  const { owners, replicas, load, quotas } = assignment;
  for (let slot = partition * replicas; slot < (partition + 1) * replicas; slot++) {
    if (load[owners[slot]] > quotas[owners[slot]]) return true;
  }
  return false;
}

/** The slot of this partition that `node` should take: one of nobody, else that of the owner most above its quota. */
function slotToGive(assignment: Assignment, partition: number, node: number): number {
  const { owners, replicas, load, quotas, nodes } = assignment;
  let best = -1;
  let bestSurplus = 0;
  for (let slot = partition * replicas; slot < (partition + 1) * replicas; slot++) {
    const owner = owners[slot];
    const surplus = owner >= nodes ? Number.POSITIVE_INFINITY : load[owner] - quotas[owner];
    if (surplus > bestSurplus && mayTake(assignment, slot, node)) {
      best = slot;
      bestSurplus = surplus;
    }
  }
  return best;
}
