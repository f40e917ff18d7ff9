/**
 * The value in seconds below which a share of what was counted lies, by linear interpolation in its bucket; undefined when
 * nothing was counted. What lies above all bounds counts as the last bound.
 *
 * @example quantile(counts, bounds, 0.99)
 */
export function quantile(counts: readonly number[], bounds: readonly number[], share: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return undefined;
  const wanted = total * share;
  let below = 0;
  for (const [index, count] of counts.entries()) {
    if (count > 0 && below + count >= wanted) {
      const low = bounds[index - 1] ?? 0;
      const high = bounds[index] ?? low;
      return low + (high - low) * ((wanted - below) / count);
    }
    below += count;
  }
  return bounds.at(-1);
}

/** What was counted between two readings; the later one alone when the counting began anew. */
export function difference(later: readonly number[], earlier: readonly number[] | undefined): number[] {
  const isAnew = earlier === undefined || later.some((count, index) => count < (earlier[index] ?? 0));
  return later.map((count, index) => (isAnew ? count : count - (earlier[index] ?? 0)));
}
