import { CounterEntryList } from '@memdb/protocol';

/**
 * What several replicas hold of one counter, merged: of each entry the newest state, which has the larger sums
 * (mechanisms: Counters), and which replicas hold it. Replicas are bits.
 */
export class MergedEntries {
  readonly list: CounterEntryList = new CounterEntryList();
  /** By entry: the replicas that hold just this state, and its sums when that was noted. */
  readonly #holders: number[] = [];

  clear(): void {
    this.list.clear();
    this.#holders.length = 0;
  }

  /** Merges what the replica `bit` holds. Throws when states of one entry contradict each other. */
  add(entries: CounterEntryList, bit: number): void {
    for (let index = 0; index < entries.count; index++) this.#merge(entries, index, bit);
  }

  /** The replicas that hold the entry at `index` of the list as it stands there. */
  holders(index: number): number {
    return this.#holders[index];
  }

  /** Whether the replica `bit` holds all of it. */
  isHeldBy(bit: number): boolean {
    return this.#holders.every((holders) => (holders & bit) !== 0);
  }

  /** The entries that the replica `bit` lacks, or holds in an older state. */
  lackedBy(bit: number, into: CounterEntryList): void {
    into.clear();
    for (const [index, holders] of this.#holders.entries()) if ((holders & bit) === 0) into.pushFrom(this.list, index);
  }

  #merge(entries: CounterEntryList, index: number, bit: number): void {
    const { list } = this;
    const at = list.find(entries.node(index), entries.generation(index));
    if (at === -1) {
      list.pushFrom(entries, index);
      this.#holders.push(bit);
      return;
    }
    const order = Math.sign(entries.counter(index) - list.counter(at));
    assertGrown(entries, index, list, at, order);
    if (order === 0) this.#holders[at] |= bit;
    if (order <= 0) return;
    this.#holders[at] = bit;
    list.set(
      at,
      entries.counter(index),
      entries.addedHigh(index),
      entries.addedLow(index),
      entries.subtractedHigh(index),
      entries.subtractedLow(index),
    );
  }
}

/** Both sums of an entry only grow, and one stamp is one state. */
function assertGrown(left: CounterEntryList, at: number, right: CounterEntryList, other: number, order: number): void {
  const added = compare(left.addedHigh(at), left.addedLow(at), right.addedHigh(other), right.addedLow(other));
  const subtracted = compare(
    left.subtractedHigh(at),
    left.subtractedLow(at),
    right.subtractedHigh(other),
    right.subtractedLow(other),
  );
  const fits = order === 0 ? added === 0 && subtracted === 0 : added * order >= 0 && subtracted * order >= 0;
  if (fits) return;
  const [node, generation] = [left.node(at), left.generation(at)];
  throw new Error(`counter entry of node ${node}, generation ${generation}: its sums do not follow each other`);
}

function compare(high: number, low: number, otherHigh: number, otherLow: number): number {
  return Math.sign(high !== otherHigh ? high - otherHigh : low - otherLow);
}
