import { RECORD_HEADER_BYTES, recordKeyLength } from '../model/record.js';
import { sameBytes } from '../storage/same-bytes.js';
import type { Segment } from '../storage/segment.js';
import type { ReplyTarget } from './replies.js';

const INITIAL_CAPACITY = 256;

/** An entry, taken out of its queue in order to be counted anew. */
export interface PendingWrite {
  readonly lsn: number;
  readonly target: ReplyTarget;
  readonly opcode: number;
  readonly correlation: number;
  readonly counter: number;
  readonly deadlineMs: number;
  readonly hash: number;
  readonly segment: Segment;
  readonly offset: number;
}

/**
 * Writes waiting for their replicas, in the order of their LSNs: a ring of columns, no object per write. All entries of
 * one queue need the same number of acknowledgements from the same owners, so that one commit point releases a prefix
 * (performance: What paid, 6). Hot.
 */
export class PendingWrites {
  #mask = INITIAL_CAPACITY - 1;
  #head = 0;
  #size = 0;
  #lsn: Float64Array = new Float64Array(INITIAL_CAPACITY);
  #counter: Float64Array = new Float64Array(INITIAL_CAPACITY);
  #deadlineMs: Float64Array = new Float64Array(INITIAL_CAPACITY);
  #correlation: Uint32Array = new Uint32Array(INITIAL_CAPACITY);
  #opcode: Uint8Array = new Uint8Array(INITIAL_CAPACITY);
  /** Bit per position in the replica set: that owner refused this stamp as superseded. */
  #refused: Uint32Array = new Uint32Array(INITIAL_CAPACITY);
  /** Highest counter that an owner named when it refused. */
  #above: Float64Array = new Float64Array(INITIAL_CAPACITY);
  /** Where the record stands in the log, for stamping it again. */
  #segment: (Segment | undefined)[] = new Array(INITIAL_CAPACITY).fill(undefined);
  #offset: Uint32Array = new Uint32Array(INITIAL_CAPACITY);
  #hash: Uint32Array = new Uint32Array(INITIAL_CAPACITY);
  #target: (ReplyTarget | undefined)[] = new Array(INITIAL_CAPACITY).fill(undefined);

  get size(): number {
    return this.#size;
  }

  push(
    lsn: number,
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    counter: number,
    deadlineMs: number,
    hash: number,
    segment: Segment,
    offset: number,
  ): void {
    if (this.#size > this.#mask) this.#grow();
    const slot = (this.#head + this.#size) & this.#mask;
    this.#lsn[slot] = lsn;
    this.#counter[slot] = counter;
    this.#deadlineMs[slot] = deadlineMs;
    this.#correlation[slot] = correlation;
    this.#opcode[slot] = opcode;
    this.#refused[slot] = 0;
    this.#above[slot] = 0;
    this.#segment[slot] = segment;
    this.#offset[slot] = offset;
    this.#hash[slot] = hash;
    this.#target[slot] = target;
    this.#size++;
  }

  /** Slot of the oldest entry; only while `size` > 0. */
  get headSlot(): number {
    return this.#head;
  }
  /** Slot of the entry `index` places after the oldest. */
  slotAt(index: number): number {
    return (this.#head + index) & this.#mask;
  }
  lsn(slot: number): number {
    return this.#lsn[slot];
  }
  counter(slot: number): number {
    return this.#counter[slot];
  }
  deadlineMs(slot: number): number {
    return this.#deadlineMs[slot];
  }
  correlation(slot: number): number {
    return this.#correlation[slot];
  }
  opcode(slot: number): number {
    return this.#opcode[slot];
  }
  refused(slot: number): number {
    return this.#refused[slot];
  }
  /** Undefined when the entry was answered already and only waits to be popped. */
  target(slot: number): ReplyTarget | undefined {
    return this.#target[slot];
  }
  segment(slot: number): Segment | undefined {
    return this.#segment[slot];
  }
  offset(slot: number): number {
    return this.#offset[slot];
  }
  hash(slot: number): number {
    return this.#hash[slot];
  }
  above(slot: number): number {
    return this.#above[slot];
  }
  /** An owner refused the stamp because it holds one with this counter. */
  refuse(slot: number, memberIndex: number, counter: number): void {
    this.#refused[slot] |= 1 << memberIndex;
    if (counter > this.#above[slot]) this.#above[slot] = counter;
  }
  /** The entries that are not answered, in order: when another epoch is in force, and seldom else. */
  unsettled(): PendingWrite[] {
    const writes: PendingWrite[] = [];
    for (let index = 0; index < this.#size; index++) {
      const slot = this.slotAt(index);
      const target = this.#target[slot];
      const segment = this.#segment[slot];
      if (target === undefined || segment === undefined) continue;
      writes.push({
        lsn: this.#lsn[slot],
        target,
        opcode: this.#opcode[slot],
        correlation: this.#correlation[slot],
        counter: this.#counter[slot],
        deadlineMs: this.#deadlineMs[slot],
        hash: this.#hash[slot],
        segment,
        offset: this.#offset[slot],
      });
    }
    return writes;
  }

  /** Takes over an entry of another queue; nobody has answered for it here. */
  restore({ lsn, target, opcode, correlation, counter, deadlineMs, hash, segment, offset }: PendingWrite): void {
    this.push(lsn, target, opcode, correlation, counter, deadlineMs, hash, segment, offset);
  }

  /** Marks an entry as answered. */
  settle(slot: number): void {
    this.#target[slot] = undefined;
  }
  pop(): void {
    this.#target[this.#head] = undefined;
    this.#segment[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#size--;
  }

  /** The slot of the entry with this LSN, -1 when there is none. Binary search: LSNs ascend from the head. */
  find(lsn: number): number {
    let low = 0;
    let high = this.#size - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const slot = this.slotAt(middle);
      if (this.#lsn[slot] === lsn) return slot;
      if (this.#lsn[slot] < lsn) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** The slot of the newest entry behind `lsn` for the key of a record, -1 when there is none. */
  findLater(lsn: number, hash: number, segment: Segment, offset: number): number {
    for (let index = this.#size - 1; index >= 0; index--) {
      const slot = this.slotAt(index);
      if (this.#lsn[slot] <= lsn) return -1;
      const other = this.#segment[slot];
      if (this.#hash[slot] !== hash || other === undefined) continue;
      const keyLength = recordKeyLength(segment.view, offset);
      if (recordKeyLength(other.view, this.#offset[slot]) !== keyLength) continue;
      const keyStart = offset + RECORD_HEADER_BYTES;
      const otherStart = this.#offset[slot] + RECORD_HEADER_BYTES;
      if (sameBytes(other.view, otherStart, segment.view, keyStart, keyLength)) return slot;
    }
    return -1;
  }

  #grow(): void {
    const size = this.#size;
    const capacity = (this.#mask + 1) * 2;
    const slots = Array.from({ length: size }, (_, index) => this.slotAt(index));
    const moved = <T extends Float64Array | Uint32Array | Uint8Array>(from: T, to: T): T => {
      for (let index = 0; index < size; index++) to[index] = from[slots[index]];
      return to;
    };
    this.#lsn = moved(this.#lsn, new Float64Array(capacity));
    this.#counter = moved(this.#counter, new Float64Array(capacity));
    this.#deadlineMs = moved(this.#deadlineMs, new Float64Array(capacity));
    this.#correlation = moved(this.#correlation, new Uint32Array(capacity));
    this.#opcode = moved(this.#opcode, new Uint8Array(capacity));
    this.#hash = moved(this.#hash, new Uint32Array(capacity));
    this.#offset = moved(this.#offset, new Uint32Array(capacity));
    this.#above = moved(this.#above, new Float64Array(capacity));
    this.#refused = moved(this.#refused, new Uint32Array(capacity));
    const targets: (ReplyTarget | undefined)[] = new Array(capacity).fill(undefined);
    const segments: (Segment | undefined)[] = new Array(capacity).fill(undefined);
    for (let index = 0; index < size; index++) {
      targets[index] = this.#target[slots[index]];
      segments[index] = this.#segment[slots[index]];
    }
    this.#target = targets;
    this.#segment = segments;
    this.#head = 0;
    this.#mask = capacity - 1;
  }
}
