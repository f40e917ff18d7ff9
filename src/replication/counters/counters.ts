import { CounterAdds, type CounterAddsOptions } from './counter-adds.js';
import { CounterReads, type CounterReadsOptions } from './counter-reads.js';
import { CounterReplica } from './counter-replica.js';

export interface CountersOptions extends CounterAddsOptions, CounterReadsOptions {
  readonly topology: { readonly hashSeed: number };
}

/** Counters at one node: what it coordinates, and what it answers as a replica. */
export class Counters {
  readonly adds: CounterAdds;
  readonly reads: CounterReads;
  readonly replica: CounterReplica;
  readonly #options: CountersOptions;

  constructor(options: CountersOptions) {
    this.#options = options;
    this.adds = new CounterAdds(options);
    this.reads = new CounterReads(options);
    const { store, replies, topology, onReturned } = options;
    this.replica = new CounterReplica(store, replies, topology.hashSeed, onReturned);
  }

  /** Requests of clients that are not answered yet. */
  get pending(): number {
    return this.adds.pending + this.reads.pending;
  }

  onEpoch(): void {
    this.adds.onEpoch();
    this.reads.onEpoch();
  }

  /** The own log may be on the device further than before. */
  onSynced(): void {
    this.adds.release();
    this.reads.onSynced(this.#options.store.syncedLsn);
  }

  /** End of turn. */
  flush(): void {
    this.adds.flush(this.#onOwnSynced);
  }

  sweep(nowMs: number): void {
    this.adds.expire(nowMs);
    this.reads.sweep(nowMs);
  }

  readonly #onOwnSynced = (): void => {
    this.onSynced();
    // What the streams held back may leave.
    this.#options.turn.wake();
  };
}
