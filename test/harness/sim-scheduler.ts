import type { SimEvent } from './sim-event.js';
import type { SimHost } from './sim-host.js';
import type { SimTrace } from './sim-trace.js';

/** Cancelled events are swept out when there are more of them than this and than of the others. */
const CANCELLED_MIN = 1024;

/**
 * Virtual time: a binary heap of events, ordered by time and then by when they were scheduled. Time stands still
 * while an event runs. After each event comes the end of its turn, as in a real event loop.
 */
export class SimScheduler {
  nowMs = 0;
  eventsRun = 0;
  /** Whose event `step` ran last; undefined for one of the world. */
  lastHost: SimHost | undefined;
  readonly #trace: SimTrace;
  #times: Float64Array<ArrayBuffer> = new Float64Array(1024);
  #sequences: Float64Array<ArrayBuffer> = new Float64Array(1024);
  #events: SimEvent[] = [];
  #size = 0;
  #nextSequence = 0;
  #cancelled = 0;
  #endOfTurn: (() => void)[] = [];
  #endOfTurnHosts: SimHost[] = [];

  constructor(trace: SimTrace) {
    this.#trace = trace;
  }

  /** Runs `event` at `atMs`, or now if that has passed, after what is already scheduled for that moment. */
  schedule(event: SimEvent, atMs: number): void {
    if (event.scheduled) throw new Error('the event is scheduled already');
    event.scheduled = true;
    this.#push(Math.max(atMs, this.nowMs), this.#nextSequence++, event);
  }

  cancel(event: SimEvent): void {
    if (event.cancelled) return;
    event.cancelled = true;
    if (!event.scheduled) return;
    this.#cancelled++;
    if (this.#cancelled > CANCELLED_MIN && this.#cancelled * 2 > this.#size) this.#sweep();
  }

  endOfTurn(host: SimHost, callback: () => void): void {
    this.#endOfTurn.push(callback);
    this.#endOfTurnHosts.push(host);
  }

  /** Time of the next event; Infinity when there is none. */
  nextMs(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#times[0];
  }

  /** Runs the next event and its end of turn. False when there is none at or before `untilMs`. */
  step(untilMs: number): boolean {
    // What was called from outside of any event ends its turn here.
    if (this.#endOfTurn.length > 0) this.#finishTurn();
    if (this.#size === 0 || this.#times[0] > untilMs) return false;
    this.nowMs = this.#times[0];
    const event = this.#pop();
    event.scheduled = false;
    if (event.cancelled) {
      this.#cancelled--;
      return true;
    }
    const host = event.host;
    if (host !== undefined) {
      if (!host.alive) return true;
      if (host.paused) {
        host.postponed.push(event);
        event.scheduled = true;
        return true;
      }
    }
    this.eventsRun++;
    this.lastHost = host;
    this.#trace.number(this.nowMs);
    this.#trace.word((event.kind << 16) | (host === undefined ? 0 : host.number));
    event.run();
    if (this.#endOfTurn.length > 0) this.#finishTurn();
    return true;
  }

  /** Lets a paused host go on: what it missed happens now, in order. */
  resume(host: SimHost): void {
    host.paused = false;
    for (const event of host.postponed.splice(0)) {
      event.scheduled = false;
      if (!event.cancelled) this.schedule(event, this.nowMs);
      else this.#cancelled--;
    }
  }

  /** Forgets what a dead host had put off, but for what its kernel must still answer. */
  abandon(host: SimHost): void {
    for (const event of host.postponed.splice(0)) {
      event.scheduled = false;
      if (event.host !== host && !event.cancelled) this.schedule(event, this.nowMs);
    }
  }

  #finishTurn(): void {
    let index = 0;
    try {
      while (index < this.#endOfTurn.length) {
        const callback = this.#endOfTurn[index];
        if (this.#endOfTurnHosts[index++].alive) callback();
      }
    } finally {
      // After an exception that a test expects, what ran must not run again.
      this.#endOfTurn.splice(0, index);
      this.#endOfTurnHosts.splice(0, index);
    }
  }

  #push(atMs: number, sequence: number, event: SimEvent): void {
    if (this.#size === this.#times.length) this.#grow();
    const times = this.#times;
    const sequences = this.#sequences;
    const events = this.#events;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (times[parent] < atMs || (times[parent] === atMs && sequences[parent] < sequence)) break;
      times[at] = times[parent];
      sequences[at] = sequences[parent];
      events[at] = events[parent];
      at = parent;
    }
    times[at] = atMs;
    sequences[at] = sequence;
    events[at] = event;
  }

  #pop(): SimEvent {
    const times = this.#times;
    const sequences = this.#sequences;
    const events = this.#events;
    const first = events[0];
    const last = --this.#size;
    const atMs = times[last];
    const sequence = sequences[last];
    const event = events[last];
    events.length = last;
    if (last === 0) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= last) break;
      const right = child + 1;
      if (
        right < last &&
        (times[right] < times[child] || (times[right] === times[child] && sequences[right] < sequences[child]))
      ) {
        child = right;
      }
      if (atMs < times[child] || (atMs === times[child] && sequence < sequences[child])) break;
      times[at] = times[child];
      sequences[at] = sequences[child];
      events[at] = events[child];
      at = child;
    }
    times[at] = atMs;
    sequences[at] = sequence;
    events[at] = event;
    return first;
  }

  #grow(): void {
    const times = new Float64Array(this.#size * 2);
    times.set(this.#times);
    this.#times = times;
    const sequences = new Float64Array(this.#size * 2);
    sequences.set(this.#sequences);
    this.#sequences = sequences;
  }

  /** Drops what will not happen: stopped request timers, mostly, and what dead processes left. */
  #sweep(): void {
    const size = this.#size;
    const times = this.#times.slice(0, size);
    const sequences = this.#sequences.slice(0, size);
    const events = this.#events;
    this.#events = [];
    this.#size = 0;
    for (let index = 0; index < size; index++) {
      const event = events[index];
      if (!event.cancelled && (event.host === undefined || event.host.alive)) {
        this.#push(times[index], sequences[index], event);
      } else {
        event.scheduled = false;
      }
    }
    this.#cancelled = 0;
  }
}
