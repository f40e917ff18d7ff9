import type { MemDbError } from '@memdb/protocol';
import { backoffMs } from './backoff.js';
import { Link, type LinkContext, type LinkOwner } from './link.js';
import type { NodeEntry } from './node-entry.js';
import type { Timer } from './ports.js';

const REDIAL_FIRST_MS = 20;
const REDIAL_MAX_MS = 2000;
/** A connection that held for this long was a good one: the next dial comes at once again. */
const GOOD_AFTER_MS = 1000;

export interface DialerEvents {
  onUp(node: NodeEntry, link: Link, isFirst: boolean): void;
  onDown(node: NodeEntry, error: MemDbError, wasUp: boolean): void;
}

/** Keeps one connection to one node: dials, and dials again after a jittered pause. */
export class Dialer implements LinkOwner {
  readonly #context: LinkContext;
  readonly #node: NodeEntry;
  readonly #events: DialerEvents;
  #link: Link | undefined = undefined;
  /** The link, once it takes requests. */
  #upLink: Link | undefined = undefined;
  /** The link that took requests, until it is closed. */
  #servedLink: Link | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #failures = 0;
  #wasEverUp = false;
  #isStopped = false;

  constructor(context: LinkContext, node: NodeEntry, events: DialerEvents) {
    this.#context = context;
    this.#node = node;
    this.#events = events;
  }

  get isUp(): boolean {
    return this.#upLink !== undefined;
  }

  /** Consecutive dials that failed. */
  get failures(): number {
    return this.#failures;
  }

  /** Takes over a connection that is ready. */
  adopt(link: Link): void {
    this.#stopTimer();
    const former = this.#link;
    this.#link = link;
    link.owner = this;
    if (former !== undefined) former.drain();
    this.#up(link);
  }

  /** Dials at once, unless a connection is there or on its way. */
  dial(): void {
    if (this.#isStopped || this.#link !== undefined) return;
    this.#stopTimer();
    this.#link = new Link(this.#context, this.#node.address, this);
  }

  /** Dials no more; the connection closes once the replies that are owed have come. */
  stop(): void {
    this.#isStopped = true;
    this.#stopTimer();
    this.#link?.drain();
  }

  onReady(link: Link): void {
    const number = link.peer?.nodeNumber ?? 0;
    if (number !== 0 && number !== this.#node.number) {
      // Another node listens at this address now; the newest topology knows where ours went.
      this.#context.onStaleTopology(link);
      link.drain();
      return;
    }
    this.#up(link);
  }

  onDraining(link: Link): void {
    this.#node.remove(link);
    if (this.#upLink === link) this.#upLink = undefined;
  }

  onClosed(link: Link, error: MemDbError): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    const wasUp = this.#servedLink === link;
    this.#servedLink = undefined;
    const heldMs = this.#context.ports.clock.monotonicMs() - link.readyAtMs;
    if (wasUp && heldMs >= GOOD_AFTER_MS) this.#failures = 0;
    else this.#failures++;
    if (!this.#isStopped) {
      const { timers, random } = this.#context.ports;
      const delayMs = backoffMs(this.#failures, REDIAL_FIRST_MS, REDIAL_MAX_MS, random);
      this.#timer = timers.start(delayMs, () => this.dial());
    }
    this.#events.onDown(this.#node, error, wasUp);
  }

  #up(link: Link): void {
    const isFirst = !this.#wasEverUp;
    this.#wasEverUp = true;
    this.#upLink = link;
    this.#servedLink = link;
    this.#node.add(link);
    this.#events.onUp(this.#node, link, isFirst);
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#context.ports.timers.stop(this.#timer);
    this.#timer = undefined;
  }
}
