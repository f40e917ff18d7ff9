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
  /** All segments, in the order of their LSNs. */
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
    return this.ordered.length < this.slotsMax;
  }

  /** Gives the segment a slot and the last place in the order. */
  add(segment: Segment): void {
    let slot = 0;
    while (this.#slots[slot] !== undefined) slot++;
    this.#slots[slot] = segment;
    segment.locationBase = slot << this.shift;
    this.ordered.push(segment);
  }

  remove(segment: Segment): void {
    this.#slots[segment.locationBase >>> this.shift] = undefined;
    this.ordered = this.ordered.filter((other) => other !== segment);
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
