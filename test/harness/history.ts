/** Stamps as the history keeps them; (0, 0) for a key that was never written. */
export interface SeenStamp {
  readonly counter: number;
  readonly node: number;
}

export type WriteOutcome = 'acknowledged' | 'not-applied' | 'unknown';

/** One set or delete of a client. `begun` and `answered` number all beginnings and answers of a run in their order. */
export interface WriteEvent {
  readonly id: number;
  readonly key: string;
  /** Undefined for a delete. */
  readonly value: string | undefined;
  readonly level: number;
  readonly begun: number;
  answered: number;
  outcome: WriteOutcome;
  stamp: SeenStamp;
}

/** One read that was answered. */
export interface ReadEvent {
  readonly key: string;
  /** Whether a majority or more was asked. */
  readonly quorum: boolean;
  readonly begun: number;
  readonly answered: number;
  readonly stamp: SeenStamp;
  readonly value: string | undefined;
}

export function orderOf(a: SeenStamp, b: SeenStamp): number {
  return a.counter - b.counter || a.node - b.node;
}

/** What clients saw of a cluster: kept by a workload, judged by `checkHistory`. */
export class History {
  readonly writes: WriteEvent[] = [];
  readonly reads: ReadEvent[] = [];
  #moment = 0;

  /** The next moment of the run. */
  moment(): number {
    return ++this.#moment;
  }
}
