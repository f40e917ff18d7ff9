import type { SimEvent } from './sim-event.js';

/** One run of one process: a node that is started again gets a new one. */
export class SimHost {
  readonly name: string;
  readonly number: number;
  alive = true;
  paused = false;
  /** Its code uses promises: after each of its events they are followed to their end. */
  awaits = false;
  /** Events that came due while it was paused, in order. */
  readonly postponed: SimEvent[] = [];

  constructor(name: string, number: number) {
    this.name = name;
    this.number = number;
  }
}
