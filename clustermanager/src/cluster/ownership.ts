import type { ClusterTopology } from '@memdb/client';

/** By partition: the numbers of its owners, who is asked first in front. */
export function preferenceLists(owners: Uint16Array, replicas: number): number[][] {
  const lists: number[][] = [];
  for (let at = 0; at < owners.length; at += replicas) lists.push([...owners.subarray(at, at + replicas)]);
  return lists;
}

/** By node number: the share of all replicas that it owns, 0 to 1. */
export function sharesOf({ owners }: ClusterTopology): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return new Map([...counts].map(([owner, count]) => [owner, count / owners.length]));
}

/** Partitions that get an owner by the pending change that they do not have now. */
export function partitionsMoving({ owners, replicas, pending }: ClusterTopology): number {
  if (pending === undefined) return 0;
  const now = preferenceLists(owners, replicas);
  const next = preferenceLists(pending.owners, pending.replicas);
  return next.filter((list, partition) => list.some((owner) => !now[partition]?.includes(owner))).length;
}
