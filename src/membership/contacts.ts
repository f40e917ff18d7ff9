import { formatAddress, parseAddress } from '../ports/address.js';
import type { Address } from '../ports/transport.js';
import { PeerLink, type PeerLinkContext, type PeerLinkEvents } from './peer-link.js';

/** Links to those who are no members of the topology, or not known to be: seeds, and nodes that come or went. */
const CONTACTS_MAX = 8;
/** A contact that nobody has anything to say to is let go after this time, in milliseconds. */
const IDLE_MS = 10_000;
/** One that does not answer makes room for the next after this time. */
const FRUITLESS_MS = 3000;

interface Contact {
  readonly link: PeerLink;
  readonly sinceMs: number;
  usedMs: number;
}

/** Connections to addresses rather than to members, few and for a while. */
export class Contacts {
  readonly #context: PeerLinkContext;
  readonly #events: PeerLinkEvents;
  readonly #contacts: Map<string, Contact> = new Map();

  constructor(context: PeerLinkContext, events: PeerLinkEvents) {
    this.#context = context;
    this.#events = events;
  }

  /** The contact at that address, dialed now if there is none and there is room; undefined otherwise. */
  at(address: Address, nowMs: number): PeerLink | undefined {
    const name = formatAddress(address);
    const known = this.#contacts.get(name);
    if (known !== undefined) {
      known.usedMs = nowMs;
      return known.link;
    }
    if (this.#contacts.size >= CONTACTS_MAX) return undefined;
    const target = parseAddress(name);
    const link = new PeerLink(0, () => target, this.#context, this.#events);
    this.#contacts.set(name, { link, sinceMs: nowMs, usedMs: nowMs });
    link.open();
    return link;
  }

  /** The open contact to a node, at whatever address. */
  to(uuid: string): PeerLink | undefined {
    for (const { link } of this.#contacts.values()) if (link.peer?.identity === uuid) return link;
    return undefined;
  }

  get links(): PeerLink[] {
    return [...this.#contacts.values()].map(({ link }) => link);
  }

  /** Lets go of those that lead nowhere, or are needed no more. */
  tick(nowMs: number): void {
    for (const [name, { link, sinceMs, usedMs }] of this.#contacts) {
      const isFruitless = !link.isUp && nowMs - sinceMs > FRUITLESS_MS;
      if (!isFruitless && nowMs - usedMs <= IDLE_MS) continue;
      this.#contacts.delete(name);
      link.close();
    }
  }

  stop(): void {
    for (const link of this.links) link.close();
    this.#contacts.clear();
  }
}
