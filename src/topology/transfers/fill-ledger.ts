import { BodyReader } from '@memdb/protocol';
import type { Store } from '../../storage/store.js';
import { viewOf } from '../../storage/view-of.js';

const META = 'filled-partitions';

/**
 * The partitions that this node has filled for one change, in the log: named by the epoch that began the change, so that
 * what was filled for another one is never taken for it.
 *
 * Layout: u32 epoch that began the change, then a bit for each partition.
 */
export class FillLedger {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The partitions that were filled for the change that began with that epoch. */
  read(begun: number): number[] {
    const kept = this.#store.meta(META);
    if (kept === undefined) return [];
    const reader = new BodyReader(META, kept, viewOf(kept), 0, kept.length);
    if (reader.u32('epoch') !== begun) return [];
    const filled: number[] = [];
    for (let at = reader.at; at < reader.end; at++) {
      for (let bit = 0; bit < 8; bit++) if ((kept[at] & (1 << bit)) !== 0) filled.push((at - reader.at) * 8 + bit);
    }
    return filled;
  }

  /** Logs which partitions are filled, behind all that was taken for them; `done` once all of that is on the device. */
  write(begun: number, filled: Iterable<number>, partitions: number, done: () => void): void {
    const bytes = new Uint8Array(4 + Math.ceil(partitions / 8));
    viewOf(bytes).setUint32(0, begun, true);
    for (const partition of filled) bytes[4 + (partition >>> 3)] |= 1 << (partition & 7);
    this.#store.putMeta(META, bytes);
    this.#store.syncNow(done);
  }
}
