import { CounterEntryList, counterHash, partitionOfHash } from '@memdb/protocol';
import { CounterSum, raise } from '../../src/counters/counter-sum.js';
import { RecordKind } from '../../src/model/record.js';
import { bytesOf, type StorageSettings, StorageWorld, viewOf } from './storage-world.js';

/** The state of one entry, for people and for comparison: node and generation, then stamp and sums. */
export type EntryText = string;

/** A store as the member `self` that counts: what a node does with its counters, without the node. */
export class CounterStore {
  readonly world: StorageWorld;
  readonly self: number;
  #starts = 1;
  /** Lamport counter of the stamps that it gives. */
  clock = 0;

  constructor(seed: number, self: number, settings: StorageSettings = {}) {
    this.world = new StorageWorld(seed, { partitions: 4, ...settings });
    this.self = self;
    this.world.store.entries.begin(self, this.#starts);
  }

  /** The process died, or was stopped, and starts again. */
  restart(powerLoss: boolean): void {
    this.world.crash({ powerLoss });
    this.world.open();
    this.world.store.entries.begin(this.self, ++this.#starts);
  }

  hashOf(name: string): number {
    const bytes = bytesOf(name);
    return counterHash(bytes, viewOf(bytes), 0, bytes.length, this.world.store.placement.hashSeed);
  }

  partitionOf(name: string): number {
    return partitionOfHash(this.hashOf(name), this.world.store.placement.partitions);
  }

  list(name: string): CounterEntryList {
    const list = new CounterEntryList();
    const bytes = bytesOf(name);
    this.world.store.entries.collect(this.hashOf(name), viewOf(bytes), 0, bytes.length, list);
    return list;
  }

  entries(name: string): EntryText[] {
    return textOf(this.list(name));
  }

  value(name: string): bigint {
    const sum = new CounterSum();
    sum.of(this.list(name));
    return BigInt(sum.high) * 2n ** 32n + BigInt(sum.low);
  }

  /** Adds to this store's own entry. */
  add(name: string, amount: bigint): void {
    const { store } = this.world;
    const bytes = bytesOf(name);
    this.world.untilRoom(store.entries.bytesOf(bytes.length), RecordKind.counterEntry);
    const list = this.list(name);
    const generation = store.entries.generationOf(this.partitionOf(name));
    if (list.find(this.self, generation) === -1) list.push(this.self, generation, 0, 0, 0, 0, 0);
    const magnitude = amount < 0n ? -amount : amount;
    const index = list.find(this.self, generation);
    this.clock = Math.max(this.clock, store.highestCounter()) + 1;
    const [high, low] = [Number(magnitude >> 32n), Number(magnitude & 0xffffffffn)];
    if (!raise(list, index, this.clock, high, low, amount < 0n)) throw new Error('the sum of an entry overflows');
    store.entries.append(this.hashOf(name), bytes, 0, bytes.length, list, index);
  }

  /** Stores everything that stands in the log of `from`, as a stream brings it. Returns how many records were refused. */
  catchUp(from: CounterStore, skipHeld: boolean, afterLsn: number = 0): number {
    const cursor = from.world.store.logCursor(afterLsn);
    let refused = 0;
    while (cursor.next()) {
      if (cursor.kind === RecordKind.meta) continue;
      const { segment, offset, bytes } = cursor;
      this.world.untilRoom(bytes, cursor.kind);
      const run = segment.bytes.slice(offset, offset + bytes);
      const { store } = this.world;
      const count = (): void => {
        refused++;
      };
      store.ingestRun(run, viewOf(run), 0, bytes, segment.generation, offset, skipHeld, count);
    }
    return refused;
  }
}

export function textOf(list: CounterEntryList): EntryText[] {
  const texts: EntryText[] = [];
  for (let index = 0; index < list.count; index++) {
    const added = (BigInt(list.addedHigh(index)) << 32n) + BigInt(list.addedLow(index));
    const subtracted = (BigInt(list.subtractedHigh(index)) << 32n) + BigInt(list.subtractedLow(index));
    texts.push(`${list.node(index)}/${list.generation(index)} @${list.counter(index)} +${added} -${subtracted}`);
  }
  return texts.sort();
}
