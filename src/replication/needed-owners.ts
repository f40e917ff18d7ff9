import { Consistency } from '@memdb/protocol';
import type { ReplicaSet } from '../topology/replica-sets.js';

/** How many owners a level waits for. */
export function neededOwners(set: ReplicaSet, level: number): number {
  if (level === Consistency.quorum) return set.majority;
  return level === Consistency.one ? 1 : set.members.length;
}
