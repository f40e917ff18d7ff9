import type { MemDbError } from '@memdb/protocol';
import { backoffMs } from './backoff.js';
import { isLasting } from './failures.js';
import { Link, type LinkContext, type LinkOwner } from './link.js';
import type { Address, Timer } from './ports.js';

/** A seed that does not answer holds up the next one for no longer than this. */
const NEXT_SEED_MS = 200;
const ROUND_FIRST_MS = 50;
const ROUND_MAX_MS = 1000;

export interface SeedSearchEvents {
  /** A seed answered; the search is over. The connection has no owner but the listener. */
  onFound(link: Link): void;
  /** Every seed was tried and all of them refused for a reason that waiting does not change. */
  onHopeless(error: MemDbError): void;
}

/**
 * Looks for a node that answers among the seeds: dials them one after the other, starts the next when one takes
 * long, and goes round again after a jittered pause until one answers.
 */
export class SeedSearch implements LinkOwner {
  /** Why the last seed failed. */
  lastError: MemDbError | undefined = undefined;
  readonly #context: LinkContext;
  readonly #seeds: readonly Address[];
  readonly #events: SeedSearchEvents;
  readonly #dialling: Set<Link> = new Set();
  #isRunning = false;
  /** Where rounds begin; moves on with every search, so that a seed that answers but cannot help is not the only one asked. */
  #first = 0;
  /** Seeds dialled in this round. */
  #tried = 0;
  #rounds = 0;
  #hopelessInRound = 0;
  #timer: Timer | undefined = undefined;

  constructor(context: LinkContext, seeds: readonly Address[], events: SeedSearchEvents) {
    this.#context = context;
    this.#seeds = seeds;
    this.#events = events;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#tried = 0;
    this.#rounds = 0;
    this.#hopelessInRound = 0;
    this.#dialNext();
  }

  stop(): void {
    this.#isRunning = false;
    this.#stopTimer();
    const links = [...this.#dialling];
    this.#dialling.clear();
    for (const link of links) link.drain();
  }

  onReady(link: Link): void {
    if (!this.#dialling.delete(link)) return;
    this.#first = (this.#first + this.#tried) % this.#seeds.length;
    this.stop();
    this.#events.onFound(link);
  }

  onDraining(): void {}

  onClosed(link: Link, error: MemDbError): void {
    if (!this.#dialling.delete(link)) return;
    this.lastError = error;
    if (isLasting(error)) this.#hopelessInRound++;
    if (this.#tried < this.#seeds.length) this.#dialNext();
    else if (this.#dialling.size === 0) this.#endRound(error);
  }

  #dialNext(): void {
    this.#stopTimer();
    const seed = this.#seeds[(this.#first + this.#tried) % this.#seeds.length];
    if (seed === undefined) return;
    this.#tried++;
    this.#dialling.add(new Link(this.#context, seed, this));
    if (this.#tried < this.#seeds.length) {
      this.#timer = this.#context.ports.timers.start(NEXT_SEED_MS, () => this.#dialNext());
    }
  }

  #endRound(error: MemDbError): void {
    const isHopeless = this.#hopelessInRound === this.#seeds.length;
    this.#tried = 0;
    this.#hopelessInRound = 0;
    const delayMs = backoffMs(this.#rounds++, ROUND_FIRST_MS, ROUND_MAX_MS, this.#context.ports.random);
    this.#timer = this.#context.ports.timers.start(delayMs, () => this.#dialNext());
    if (isHopeless) this.#events.onHopeless(error);
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#context.ports.timers.stop(this.#timer);
    this.#timer = undefined;
  }
}
