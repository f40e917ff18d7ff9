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
  /** 0: it never expires. */
  readonly ttlMs: number;
  readonly begun: number;
  /** World time of `begun` and `answered`. */
  readonly begunMs: number;
  answeredMs: number;
  /** Infinity while nobody answered. */
  answered: number;
  outcome: WriteOutcome;
  /** Undefined where the client does not tell and no replica could be asked: the real client gives no stamps. */
  stamp: SeenStamp | undefined;
}

/** What a read said of a key: its value, that it has one, or that it has none. */
export type Content = { readonly kind: 'value'; readonly value: string } | { readonly kind: 'present' | 'absent' };

/** One read that was answered. */
export interface ReadEvent {
  readonly key: string;
  /** Whether a majority or more was asked. */
  readonly quorum: boolean;
  readonly begun: number;
  readonly answered: number;
  readonly begunMs: number;
  readonly answeredMs: number;
  readonly stamp: SeenStamp | undefined;
  readonly content: Content;
}

/** One scan that came to its end. */
export interface ScanEvent {
  readonly prefix: string;
  readonly begun: number;
  readonly ended: number;
  readonly keys: ReadonlySet<string>;
}

export const ABSENT: Content = { kind: 'absent' };
export const PRESENT: Content = { kind: 'present' };

export function contentOf(value: string | undefined): Content {
  return value === undefined ? ABSENT : { kind: 'value', value };
}

export function orderOf(a: SeenStamp, b: SeenStamp): number {
  return a.counter - b.counter || a.node - b.node;
}

export function stampText(stamp: SeenStamp): string {
  return `${stamp.counter}/${stamp.node}`;
}

/** The first few characters of a value, and its length. */
export function valueText(value: string | undefined): string {
  return value === undefined ? 'nothing' : `"${value.slice(0, 24)}" (${value.length})`;
}

/** What clients saw of a cluster: kept by a workload, judged by the checkers. */
export class History {
  readonly writes: WriteEvent[] = [];
  readonly reads: ReadEvent[] = [];
  readonly scans: ScanEvent[] = [];
  #moment = 0;

  /** The next moment of the run. */
  moment(): number {
    return ++this.#moment;
  }
}

/** Events by key, in their order. */
export function byKey<T extends { readonly key: string }>(events: readonly T[]): Map<string, T[]> {
  const keys = new Map<string, T[]>();
  for (const event of events) {
    const known = keys.get(event.key);
    if (known === undefined) keys.set(event.key, [event]);
    else known.push(event);
  }
  return keys;
}
