import { isExpired } from '../model/record.js';
import type { Catalog } from './catalog.js';
import type { IndexWindow } from './key-index.js';

const TWO_32 = 4294967296;
/** What a partition that holds nothing to expire costs, in slots. */
const PARTITION_SLOTS = 16;

/**
 * Counts the values whose deadline has come, a slice of the index at a time, round and round. They read as absent from
 * their deadline on; their memory comes back by purging, which this pass does not wait for.
 */
export class ExpiredKeys implements IndexWindow {
  readonly #catalog: Catalog;
  /** As the last complete round found it. */
  count = 0;
  #counted = 0;
  #partition = 0;
  /** Where the partition's next slice begins: a mixed hash. */
  #from = 0;
  #nowMs = 0;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Looks at about `slots` slots; `nowMs` is the wall clock. 100 ns for each key that is not in the cache. */
  step(slots: number, nowMs: number): void {
    const { index, versions } = this.#catalog;
    this.#nowMs = nowMs;
    for (let left = slots; left > 0; ) {
      if (this.#partition >= index.partitions) {
        this.count = this.#counted;
        this.#counted = 0;
        this.#partition = 0;
        return;
      }
      if (versions.mortal[this.#partition] === 0) {
        this.#next();
        left -= PARTITION_SLOTS;
        continue;
      }
      const most = Math.min(left, index.slotsOf(this.#partition));
      this.#from = index.window(this.#partition, this.#from, most, this);
      left -= most;
      if (this.#from === TWO_32) this.#next();
    }
  }

  add(_mixed: number, location: number): void {
    const { segments } = this.#catalog;
    if (isExpired(segments.segmentAt(location).view, segments.offsetAt(location), this.#nowMs)) this.#counted++;
  }

  #next(): void {
    this.#partition++;
    this.#from = 0;
  }
}
