import type { Segment } from './segment.js';
import { SEGMENT_HEADER_BYTES } from './segment-header.js';
import type { SegmentTable } from './segment-table.js';

/** A segment as far as it belongs to a snapshot. */
export interface SnapshotSegment {
  readonly segment: Segment;
  /** What lies before this offset is durable and does not change any more. */
  readonly bytes: number;
}

/**
 * The log as it was durable at one moment, without stopping anybody: what was appended never changes, so a snapshot is
 * a list of segments and how far each had come. The segment in use is in it up to its last synced batch; nothing has
 * to be sealed for it, and the next snapshot holds the same segment with more in it.
 *
 * Compaction and the recycling of memory leave pinned segments alone; `release` lets them go.
 */
export class LogSnapshot {
  readonly segments: readonly SnapshotSegment[];
  #isReleased = false;

  constructor(segments: readonly SnapshotSegment[]) {
    this.segments = segments;
    for (const { segment } of segments) segment.pins++;
  }

  /** May be called again. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    for (const { segment } of this.segments) segment.pins--;
  }
}

/**
 * Takes a snapshot of what is durable, or in memory where there are no files. Undefined while a segment is being
 * compacted (its memory goes when that is done), and while a sealed one, or a copy, is not durable as a whole: a start
 * might make another copy of the same id. Both last as long as a write to the disk.
 */
export function takeSnapshot(table: SegmentTable, active: Segment, hasFiles: boolean): LogSnapshot | undefined {
  const segments: SnapshotSegment[] = [];
  for (const segment of table.ordered) {
    const bytes = hasFiles ? segment.durableOffset : segment.tail;
    if (segment.leaving || (segment !== active && bytes !== segment.tail)) return undefined;
    if (bytes <= SEGMENT_HEADER_BYTES) continue;
    segments.push({ segment, bytes });
  }
  return new LogSnapshot(segments);
}
