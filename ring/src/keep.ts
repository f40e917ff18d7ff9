import { type Assignment, formerLoads, mayTake, swap } from './assignment.js';

/**
 * Leaves every slot of a table of placeholders with its former owner where the rules still allow it.
 *
 * Where they do not (a partition now has fewer replicas, or its owners now share a domain), the owners with the
 * largest surplus over their quota give way: they have to give up slots in any case.
 */
export function keepFormerOwners(assignment: Assignment): void {
  const { partitions, replicas, nodes, owners, quotas, former, formerReplicas } = assignment;
  const surplus = formerLoads(former, nodes).map((held, node) => held - quotas[node]);
  for (let partition = 0; partition < partitions; partition++) {
    const first = partition * replicas;
    const row = [...former.subarray(partition * formerReplicas, (partition + 1) * formerReplicas)];
    const present = row.filter((node) => node >= 0);
    // A stable sort: equal surplus keeps the order of preference.
    for (const node of [...present].sort((a, b) => surplus[a] - surplus[b])) {
      const slot = placeholderFor(assignment, partition, node);
      if (slot < 0) surplus[node]--;
      else swap(assignment, slot, node);
    }
    const kept = new Set(owners.subarray(first, first + replicas));
    const ordered = present.filter((node) => kept.has(node));
    for (const owner of owners.slice(first, first + replicas)) if (owner >= nodes) ordered.push(owner);
    owners.set(ordered, first);
  }
}

/** A slot of a placeholder that the node may take: one kept for its host if there is one. Below 0: none. */
function placeholderFor(assignment: Assignment, partition: number, node: number): number {
  const { owners, replicas, nodes, hostOf } = assignment;
  let found = -1;
  for (let slot = partition * replicas; slot < (partition + 1) * replicas; slot++) {
    if (owners[slot] < nodes || !mayTake(assignment, slot, node)) continue;
    if (hostOf[owners[slot]] === hostOf[node]) return slot;
    found = slot;
  }
  return found;
}
