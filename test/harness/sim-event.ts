import type { SimHost } from './sim-host.js';

/** What the trace records of an event besides its time and host. */
export const SIM_EVENT = {
  timer: 1,
  data: 2,
  open: 3,
  drain: 4,
  close: 5,
  accept: 6,
  dial: 7,
  disk: 8,
  world: 9,
} as const;

/**
 * Something that will happen. Long-lived objects (a pipe, a timer) are their own event, so scheduling allocates
 * nothing. An event may be scheduled once at a time.
 */
export abstract class SimEvent {
  /** Whose turn it is: the event is dropped when that process died, and put off while it is paused. */
  host: SimHost | undefined;
  readonly kind: number;
  scheduled = false;
  cancelled = false;

  constructor(host: SimHost | undefined, kind: number) {
    this.host = host;
    this.kind = kind;
  }

  abstract run(): void;
}

/** An event that calls a function: for what happens seldom. */
export class SimCall extends SimEvent {
  readonly #call: () => void;

  constructor(host: SimHost | undefined, kind: number, call: () => void) {
    super(host, kind);
    this.#call = call;
  }

  run(): void {
    this.#call();
  }
}
