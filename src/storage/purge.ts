import { compareStamps } from '@memdb/protocol';
import {
  kindOf,
  RecordKind,
  recordCounter,
  recordExpiresAtMs,
  recordKindLength,
  recordLsnLow,
  recordNode,
} from '../model/record.js';
import type { Catalog } from './catalog.js';
import { floorMetaName, type KeptFloor } from './floors.js';
import { recordIsSound } from './record-check.js';
import type { Segment } from './segment.js';

/** Bytes that a floor's meta record takes: asked of `Store.room` before a purge. */
export const FLOOR_RECORD_BYTES = 64;

/** What a purge of a partition may erase on the evidence at hand. */
export interface PurgePlan {
  readonly floor: KeptFloor;
  /** Versions that it erases, at least one. */
  readonly versions: number;
}

/**
 * The highest floor that the evidence carries: every other owner held, durably, all that this log held up to
 * `evidenceLsn` (mechanisms: Purging tombstones). A tombstone or expired value that came later may be unknown to some
 * owner: it stays, and the floor stays below it, or where it is if that came in below the present floor, as evictions do. `cutoffMs` is the wall-clock time up to which deadlines count as passed.
 * Undefined when nothing can go. Walks over the partition once: 30 ns a key.
 */
export function planPurge(
  catalog: Catalog,
  partition: number,
  evidenceLsn: number,
  cutoffMs: number,
): PurgePlan | undefined {
  const { segments, floors, versions } = catalog;
  if (versions.mortal[partition] === 0) return undefined;
  const current = floors.of(partition);
  const cutoff = Math.max(current.cutoffMs, cutoffMs);
  const stamps: { readonly counter: number; readonly node: number }[] = [];
  let limit = Number.POSITIVE_INFINITY;
  let limitNode = 0;
  const damaged: { readonly segment: Segment; readonly offset: number }[] = [];
  catalog.index.each(partition, (_hash, location) => {
    const segment = segments.segmentAt(location);
    const offset = segments.offsetAt(location);
    const { view } = segment;
    // What a serial key is stays, deleted or expired: `recordExpiresAtMs` is 0 for it.
    if (kindOf(recordKindLength(view, offset)) !== RecordKind.tombstone) {
      const expiresAtMs = recordExpiresAtMs(view, offset);
      if (expiresAtMs === 0 || expiresAtMs > cutoff) return;
    }
    // A flipped bit in a stamp would raise the floor to anywhere: it is repaired first.
    if (!recordIsSound(segment, offset)) damaged.push({ segment, offset });
    const counter = recordCounter(view, offset);
    const node = recordNode(view, offset);
    if (segment.lsnOf(recordLsnLow(view, offset)) <= evidenceLsn) stamps.push({ counter, node });
    else if (compareStamps(counter, node, current.counter, current.node) <= 0) return;
    else if (compareStamps(counter, node, limit, limitNode) < 0) {
      limit = counter;
      limitNode = node;
    }
  });
  for (const { segment, offset } of damaged) catalog.repair(segment, offset);
  if (damaged.length > 0) return undefined;
  let { counter, node } = current;
  let count = 0;
  for (const stamp of stamps) {
    if (compareStamps(stamp.counter, stamp.node, limit, limitNode) > 0) continue;
    count++;
    if (compareStamps(stamp.counter, stamp.node, counter, node) <= 0) continue;
    counter = stamp.counter;
    node = stamp.node;
  }
  return count === 0 ? undefined : { floor: { counter, node, cutoffMs: cutoff, lsn: evidenceLsn }, versions: count };
}

/** Carries a plan out, in the turn in which it was made; `keep` appends the meta record of the floor. */
export function carryOutPurge(
  catalog: Catalog,
  partition: number,
  plan: PurgePlan,
  keep: (name: string, floor: KeptFloor) => void,
): void {
  // One record is floor and erasure at once: a start that finds it erases the same versions again.
  keep(floorMetaName(partition), plan.floor);
  const erased = catalog.purge(partition, plan.floor);
  if (erased !== plan.versions) {
    throw new Error(`partition ${partition}: a purge of ${plan.versions} versions on evidence erased ${erased}`);
  }
}
