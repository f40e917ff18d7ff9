import { EVENTS_MAX } from '../limits.js';

export type Severity = 'info' | 'good' | 'warning' | 'critical';

/** Something that happened to the cluster, or that somebody did to it. */
export interface ClusterEvent {
  /** Where a viewer goes on after it: `POST /live?after=CURSOR`. */
  readonly cursor: string;
  readonly atMs: number;
  /** Stable kebab-case name. */
  readonly kind: string;
  readonly severity: Severity;
  /** A sentence for a person. */
  readonly message: string;
  /** Number of the node that it is about. */
  readonly node: number | undefined;
}

/**
 * The last events, in order. A cursor names the run of the manager and the place in it; one of an earlier run, or one too
 * old, cannot be continued and the viewer is told so.
 */
export class EventLog {
  readonly #run: string;
  readonly #wallMs: () => number;
  readonly #events: ClusterEvent[] = [];
  readonly #listeners: Set<(event: ClusterEvent) => void> = new Set();
  #next = 1;

  constructor(run: string, wallMs: () => number) {
    this.#run = run;
    this.#wallMs = wallMs;
  }

  add(kind: string, severity: Severity, message: string, node?: number): void {
    const event = { cursor: `${this.#run}-${this.#next++}`, atMs: this.#wallMs(), kind, severity, message, node };
    this.#events.push(event);
    if (this.#events.length > EVENTS_MAX) this.#events.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** Cursor of the newest event. */
  get cursor(): string {
    return `${this.#run}-${this.#next - 1}`;
  }

  get recent(): readonly ClusterEvent[] {
    return this.#events;
  }

  /** Everything after a cursor; undefined when some of it is gone. */
  after(cursor: string): readonly ClusterEvent[] | undefined {
    const [run, place] = cursor.split('-');
    const seen = Number(place);
    const first = this.#next - this.#events.length;
    if (run !== this.#run || !Number.isSafeInteger(seen) || seen < first - 1 || seen >= this.#next) return undefined;
    return this.#events.slice(seen + 1 - first);
  }

  /** Calls `listener` with each new event; returns what ends that. */
  listen(listener: (event: ClusterEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
