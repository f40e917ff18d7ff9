import { checkTable, type Placement } from './topology.js';

/** What a change of owners costs, in replica slots. */
export interface Movement {
  /** Slots whose owner did not hold the partition before: each is one copy of a partition that has to be made. */
  readonly moved: number;
  /** The fewest that any table with these loads would move: what nodes hold now beyond what they held before. */
  readonly necessary: number;
}

/**
 * Counts the copies that going from one table to another takes. Order within a preference list is no copy.
 *
 * @param beforeIds the ids of the nodes in the order in which they were given to `place` for `before`
 * @param afterIds likewise for `after`
 * @throws RangeError when the tables have different numbers of partitions, or more nodes than names.
 */
export function movement(
  before: Placement,
  beforeIds: readonly string[],
  after: Placement,
  afterIds: readonly string[],
): Movement {
  checkTable(before, beforeIds);
  checkTable(after, afterIds);
  const { partitions } = after;
  if (before.partitions !== partitions) {
    throw new RangeError(`tables of ${before.partitions} and ${partitions} partitions cannot be compared`);
  }
  const gained = new Map<string, number>();
  let moved = 0;
  for (let partition = 0; partition < partitions; partition++) {
    const owned = ownersOf(before, beforeIds, partition);
    for (const id of owned) gained.set(id, (gained.get(id) ?? 0) - 1);
    for (const id of ownersOf(after, afterIds, partition)) {
      gained.set(id, (gained.get(id) ?? 0) + 1);
      if (!owned.includes(id)) moved++;
    }
  }
  let necessary = 0;
  for (const slots of gained.values()) necessary += Math.max(0, slots);
  return { moved, necessary };
}

function ownersOf(table: Placement, ids: readonly string[], partition: number): string[] {
  const row = table.owners.subarray(partition * table.replicas, (partition + 1) * table.replicas);
  return Array.from(row, (node) => ids[node]);
}
