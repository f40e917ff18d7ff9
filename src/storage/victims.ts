import type { Segment } from './segment.js';
import { COPY_OVERHEAD_BYTES, deadBytes, keptBytes } from './segment-copy.js';

/** A segment that is live to more than this is never worth copying: 9 bytes would move for each that is freed. */
export const DEBT_LIVE_SHARE_MAX = 0.9;
/** Without appends: at most 3 bytes move for each that is freed, so what is left is used to more than three quarters. */
export const REST_LIVE_SHARE_MAX = 0.75;
/** Segments below this part of a full one are put together though all in them is live: starts leave such behind. */
const SMALL_PART = 4;
/** A span of LSNs has 32 bits in the records of one segment. */
const LSN_SPAN_MAX: number = 2 ** 32;

/**
 * The segments to compact next: the one that is live to the smallest part, and its neighbours as long as what is kept of
 * all fits into one segment. Only neighbours are put together, so that segments stay in the order of their LSNs and a
 * cursor reads one after the other.
 *
 * `atRest` tells for each of `ordered` whether it may be copied. Empty when nothing is below `shareMax`.
 */
export function chooseVictims(
  ordered: readonly Segment[],
  atRest: readonly boolean[],
  shareMax: number,
  segmentBytes: number,
): Segment[] {
  const shares = sharesOf(ordered, atRest);
  const seed = shares.indexOf(Math.min(...shares));
  if (seed === -1 || shares[seed] >= shareMax) return smallNeighbours(ordered, atRest, segmentBytes);
  let first = seed;
  let last = seed;
  let bytes = COPY_OVERHEAD_BYTES + keptBytes(ordered[seed]);
  for (;;) {
    const before = shares[first - 1] ?? 1;
    const after = shares[last + 1] ?? 1;
    if (Math.min(before, after) >= shareMax) break;
    const next = before <= after ? first - 1 : last + 1;
    bytes += keptBytes(ordered[next]);
    if (bytes > segmentBytes || !spanFits(ordered[Math.min(first, next)], ordered[Math.max(last, next)])) break;
    if (next < first) first = next;
    else last = next;
  }
  return ordered.slice(first, last + 1);
}

/** The first neighbours that are small, and together no more than a segment. */
function smallNeighbours(ordered: readonly Segment[], atRest: readonly boolean[], segmentBytes: number): Segment[] {
  const isSmall = (index: number): boolean => atRest[index] && ordered[index].tail < segmentBytes / SMALL_PART;
  for (let first = 0; first + 1 < ordered.length; first++) {
    if (!isSmall(first) || !isSmall(first + 1) || !spanFits(ordered[first], ordered[first + 1])) continue;
    return ordered.slice(first, first + 2);
  }
  return [];
}

function spanFits(first: Segment, last: Segment): boolean {
  return last.lastLsn - first.firstLsn < LSN_SPAN_MAX;
}

/**
 * Whether no version of any key lies outside the group that a purged tombstone inside it hides: then it need not be
 * carried on. An older version lies either in an older segment, where it is dead (its key is not in the index), or
 * came later and was superseded at once.
 */
export function hidesNothing(ordered: readonly Segment[], group: readonly Segment[]): boolean {
  const first = ordered.indexOf(group[0]);
  return ordered.every((segment, index) => {
    if (group.includes(segment)) return true;
    return !segment.late && (index > first || deadBytes(segment) === 0);
  });
}

/** Which part of the records of each segment a copy would have to take over; 1 where there may be none now. */
function sharesOf(ordered: readonly Segment[], atRest: readonly boolean[]): number[] {
  const lates = ordered.filter((segment) => segment.late).length;
  const firstDirty = ordered.findIndex((segment) => deadBytes(segment) > 0);
  return ordered.map((segment, index) => {
    if (!atRest[index]) return 1;
    // As `hidesNothing` says of this segment alone.
    const lateElsewhere = lates - (segment.late ? 1 : 0);
    const drops = lateElsewhere === 0 && (firstDirty === -1 || firstDirty >= index);
    const kept = drops ? segment.liveBytes : keptBytes(segment);
    const records = segment.tail - COPY_OVERHEAD_BYTES;
    return records <= 0 ? 0 : kept / records;
  });
}
