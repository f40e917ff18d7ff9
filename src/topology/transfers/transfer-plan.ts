import type { WireTopology } from '@memdb/protocol';
import { nodeOf, rowOf } from '../epoch-roles.js';

/** A partition whose owners are changing, as one of the next owners sees it. */
export interface FillPlan {
  readonly partition: number;
  /** The owners now, other than this node. */
  readonly sources: readonly number[];
  /** How many of the owners now it must hold the state of: a majority (mechanisms: Epochs, ×). */
  readonly needed: number;
  /** It is one of the owners now. Then it holds the state of one already: its own. */
  readonly isOwner: boolean;
}

/** The partitions of which a node becomes an owner by the pending change, or stays one while others change. */
export function fillPlans(topology: WireTopology, self: number): FillPlan[] {
  const { pending, owners, replicas, partitions } = topology;
  if (pending === undefined) return [];
  const plans: FillPlan[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const now = rowOf(owners, replicas, partition);
    const then = rowOf(pending.owners, pending.replicas, partition);
    if (!then.includes(self) || isSameSet(now, then)) continue;
    plans.push({
      partition,
      sources: [...now].filter((owner) => owner !== self),
      needed: Math.floor(now.length / 2) + 1,
      isOwner: now.includes(self),
    });
  }
  return plans;
}

/** Partitions that a node owned once, and of which it may hold what nobody else does. */
export function formerPartitions(topology: WireTopology, self: number): number[] {
  const mine = topology.former.filter(({ partition, node }) => node === self && !isOwnerOf(topology, self, partition));
  return mine.map(({ partition }) => partition);
}

/**
 * What a node holds of these partitions is of no use to anybody in that epoch, and must be gone before the node enters it,
 * so that it is not taken for what it will hold as an owner: leavings of a change that was aborted. Deletions that
 * would hide them were purged since, perhaps. `filling` is the change that it fills partitions for now; 0: none.
 *
 * Of partitions that it owned, and that the epoch says so of, nothing is purged: those it keeps. A node that was removed
 * is never asked to own anything again, and keeps what it has for people to look at.
 */
export function leavingsBefore(topology: WireTopology, self: number, filling: number): number[] {
  const { pending, owners, replicas, partitions } = topology;
  if (nodeOf(topology, self) === undefined) return [];
  const isFilled = pending !== undefined && pending.begun === filling;
  const former = new Set(topology.former.flatMap(({ partition, node }) => (node === self ? [partition] : [])));
  const leavings: number[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    if (rowOf(owners, replicas, partition).includes(self) || former.has(partition)) continue;
    const joins = pending !== undefined && rowOf(pending.owners, pending.replicas, partition).includes(self);
    if (!joins || !isFilled) leavings.push(partition);
  }
  return leavings;
}

/** Whether a node owns a partition, or will after the pending change. */
function isOwnerOf({ owners, replicas, pending }: WireTopology, node: number, partition: number): boolean {
  if (rowOf(owners, replicas, partition).includes(node)) return true;
  return pending !== undefined && rowOf(pending.owners, pending.replicas, partition).includes(node);
}

function isSameSet(one: Uint16Array, other: Uint16Array): boolean {
  return one.length === other.length && one.every((node) => other.includes(node));
}
