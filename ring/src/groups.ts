/** The members of each group, in order, where `groupOf` names the group of each member. */
export function membersOf(groupOf: Uint16Array, groups: number): number[][] {
  const lists: number[][] = Array.from({ length: groups }, () => []);
  for (const [member, group] of groupOf.entries()) lists[group].push(member);
  return lists;
}

/** The sum of the members' values, per group. */
export function sumBy(values: ArrayLike<number>, groupOf: Uint16Array, groups: number): Float64Array {
  const sums = new Float64Array(groups);
  for (let member = 0; member < groupOf.length; member++) sums[groupOf[member]] += values[member];
  return sums;
}
