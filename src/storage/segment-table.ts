import { strict as assert } from 'node:assert';
import type { Segment } from './segment.js';

/** Segments in a table of 2^32 words of 4 bytes: 16 GiB altogether, whatever the size of one. */
const LOCATION_BITS = 32;

/**
 * Turns (segment, offset) into a 32-bit location and back: the upper bits name a slot of this table, the lower ones
 * the word inside the segment. No record lies at offset 0, so location 0 means nothing.
 * Locations are kept as signed numbers: those are never boxed.
 */
export class SegmentTable {
  readonly shift: number;
  readonly #mask: number;
  readonly #slots: (Segment | undefined)[] = [];
  #slotsUsed = 0;
  /** All segments that records are read from, in the order of their LSNs: their ranges do not overlap. */
  ordered: Segment[] = [];
  readonly slotsMax: number;

  /** `segmentBytesMax`: a power of two that no segment exceeds. */
  constructor(segmentBytesMax: number) {
    this.shift = Math.log2(segmentBytesMax / 4);
    this.#mask = 2 ** this.shift - 1;
    this.slotsMax = 2 ** (LOCATION_BITS - this.shift);
  }

  /** Whether another segment fits. */
  get hasFreeSlot(): boolean {
    return this.#slotsUsed < this.slotsMax;
  }

  /** Gives the segment a slot and the last place in the order. */
  add(segment: Segment): void {
    this.reserve(segment);
    this.ordered.push(segment);
  }

  /** Gives the segment a slot: locations in it are understood, and it takes its place in the order by `replace`. */
  reserve(segment: Segment): void {
    let slot = 0;
    while (this.#slots[slot] !== undefined) slot++;
    this.#slots[slot] = segment;
    this.#slotsUsed++;
    segment.locationBase = slot << this.shift;
  }

  /** Puts `copy` in the place of segments that follow each other, or nothing when there is nothing to keep of them. */
  replace(group: readonly Segment[], copy: Segment | undefined): void {
    const first = this.ordered.indexOf(group[0]);
    const found = this.ordered.slice(first, first + group.length);
    assert(first >= 0 && found.every((segment, index) => segment === group[index]), 'the segments follow each other');
    const before = this.ordered[first - 1];
    const after = this.ordered[first + group.length];
    if (copy !== undefined) {
      assert(before === undefined || before.lastLsn < copy.firstLsn, 'segments in the order of LSNs');
      assert(after === undefined || copy.lastLsn < after.firstLsn, 'segments in the order of LSNs');
    }
    this.ordered = this.ordered.toSpliced(first, group.length, ...(copy === undefined ? [] : [copy]));
    for (const segment of group) this.release(segment);
  }

  remove(segment: Segment): void {
    this.ordered = this.ordered.filter((other) => other !== segment);
    this.release(segment);
  }

  /** Takes the slot back: nothing points into the segment. */
  release(segment: Segment): void {
    this.#slots[segment.locationBase >>> this.shift] = undefined;
    this.#slotsUsed--;
    segment.retired = true;
  }

  locationOf(segment: Segment, offset: number): number {
    return segment.locationBase | (offset >>> 2);
  }

  /** The segment of a location that the index gave out. Hot. */
  segmentAt(location: number): Segment {
    return this.#slots[location >>> this.shift] as Segment;
  }

  offsetAt(location: number): number {
    return (location & this.#mask) << 2;
  }
}
