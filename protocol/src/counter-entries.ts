import { ProtocolError } from './errors.js';
import { readCounter, writeCounter } from './frame.js';
import { COUNTER_ENTRIES_MAX } from './limits.js';

/** Bytes of one entry in a list: u16 node number, u16 0, u64 generation, u64 counter, u64 added, u64 subtracted. */
export const COUNTER_ENTRY_BYTES = 36;

const NODE = 0;
const GENERATION = 4;
const COUNTER = 12;
const ADDED = 20;
const SUBTRACTED = 28;

/**
 * Entries of one counter, in the bytes in which they travel: `counter` and `node` are the stamp of the entry's newest
 * state; sums are u64, as high and low u32.
 */
export class CounterEntryList {
  bytes: Uint8Array = new Uint8Array(8 * COUNTER_ENTRY_BYTES);
  view: DataView = new DataView(this.bytes.buffer);
  count = 0;

  clear(): void {
    this.count = 0;
  }
  /** Forgets all but the first `count` entries. */
  truncate(count: number): void {
    this.count = count;
  }

  node(index: number): number {
    return this.view.getUint16(index * COUNTER_ENTRY_BYTES + NODE, true);
  }
  generation(index: number): number {
    return readCounter(this.view, index * COUNTER_ENTRY_BYTES + GENERATION);
  }
  counter(index: number): number {
    return readCounter(this.view, index * COUNTER_ENTRY_BYTES + COUNTER);
  }
  addedHigh(index: number): number {
    return this.view.getUint32(index * COUNTER_ENTRY_BYTES + ADDED + 4, true);
  }
  addedLow(index: number): number {
    return this.view.getUint32(index * COUNTER_ENTRY_BYTES + ADDED, true);
  }
  subtractedHigh(index: number): number {
    return this.view.getUint32(index * COUNTER_ENTRY_BYTES + SUBTRACTED + 4, true);
  }
  subtractedLow(index: number): number {
    return this.view.getUint32(index * COUNTER_ENTRY_BYTES + SUBTRACTED, true);
  }

  /** Index of the entry with this id; -1 when there is none. */
  find(node: number, generation: number): number {
    for (let index = 0; index < this.count; index++) {
      if (this.node(index) === node && this.generation(index) === generation) return index;
    }
    return -1;
  }

  push(
    node: number,
    generation: number,
    counter: number,
    addedHigh: number,
    addedLow: number,
    subtractedHigh: number,
    subtractedLow: number,
  ): void {
    const at = this.count * COUNTER_ENTRY_BYTES;
    if (at + COUNTER_ENTRY_BYTES > this.bytes.length) {
      const bytes = new Uint8Array(this.bytes.length * 2);
      bytes.set(this.bytes);
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer);
    }
    this.count++;
    this.view.setUint32(at + NODE, node, true);
    writeCounter(this.view, at + GENERATION, generation);
    this.set(this.count - 1, counter, addedHigh, addedLow, subtractedHigh, subtractedLow);
  }

  /** Another state of the entry at `index`. */
  set(
    index: number,
    counter: number,
    addedHigh: number,
    addedLow: number,
    subtractedHigh: number,
    subtractedLow: number,
  ): void {
    const at = index * COUNTER_ENTRY_BYTES;
    writeCounter(this.view, at + COUNTER, counter);
    this.view.setUint32(at + ADDED, addedLow, true);
    this.view.setUint32(at + ADDED + 4, addedHigh, true);
    this.view.setUint32(at + SUBTRACTED, subtractedLow, true);
    this.view.setUint32(at + SUBTRACTED + 4, subtractedHigh, true);
  }

  /** Adds a copy of the entry at `index` of another list. */
  pushFrom(other: CounterEntryList, index: number): void {
    this.push(
      other.node(index),
      other.generation(index),
      other.counter(index),
      other.addedHigh(index),
      other.addedLow(index),
      other.subtractedHigh(index),
      other.subtractedLow(index),
    );
  }

  /** The entries as they travel, `count * COUNTER_ENTRY_BYTES` of them. */
  get encoded(): Uint8Array {
    return this.bytes.subarray(0, this.count * COUNTER_ENTRY_BYTES);
  }

  /** Takes over `count` entries that begin at `view[at]`. Throws ProtocolError for what no node sends. */
  read(view: DataView, at: number, count: number): void {
    this.clear();
    if (count > COUNTER_ENTRIES_MAX) throw new ProtocolError('bad-request', at, `${count} entries of a counter`);
    for (let entry = at; this.count < count; entry += COUNTER_ENTRY_BYTES) {
      const node = view.getUint16(entry + NODE, true);
      const generation = readCounter(view, entry + GENERATION);
      const counter = readCounter(view, entry + COUNTER);
      const isSound = node !== 0 && isExact(generation) && counter !== 0 && isExact(counter);
      if (!isSound || view.getUint16(entry + 2, true) !== 0 || this.find(node, generation) !== -1) {
        throw new ProtocolError('bad-request', entry, `entry of a counter by node ${node}, generation ${generation}`);
      }
      this.push(
        node,
        generation,
        counter,
        view.getUint32(entry + ADDED + 4, true),
        view.getUint32(entry + ADDED, true),
        view.getUint32(entry + SUBTRACTED + 4, true),
        view.getUint32(entry + SUBTRACTED, true),
      );
    }
  }
}

function isExact(number: number): boolean {
  return number < Number.MAX_SAFE_INTEGER;
}
