/**
 * Who has to agree: a majority of every group. One group in a settled epoch; while a change is pending the old owners
 * and the new ones (mechanisms: Epochs). Any two quorums that share a group meet in one of its members.
 */
export type QuorumGroups = readonly (readonly number[])[];

/** floor(members / 2) + 1. */
function majorityOf(members: readonly number[]): number {
  return Math.floor(members.length / 2) + 1;
}

/** Whether those who answered are a majority of every group. Who is in none does not count. */
export function isQuorum(groups: QuorumGroups, answered: readonly number[]): boolean {
  return groups.every((group) => group.filter((member) => answered.includes(member)).length >= majorityOf(group));
}
