import type { ClientHandshakeResult, MemDbError } from '@memdb/protocol';
import { formatAddress, parseAddress } from '../ports/address.js';
import type { Address } from '../ports/transport.js';
import { LinkWatch } from './link-watch.js';
import { PeerLink, type PeerLinkContext, type PeerLinkEvents } from './peer-link.js';
import { compareStarts, type Member } from './swim/member.js';

/** A member of the topology. */
export interface Place {
  readonly number: number;
  readonly uuid: string;
  /** Where it was when the epoch was made: "host:port". */
  readonly address: string;
}

export interface MemberLinksOptions {
  readonly context: PeerLinkContext;
  /** Number of this node. */
  readonly self: number;
  /** What gossip knows of a node. */
  readonly memberOf: (uuid: string) => Member | undefined;
  /** `onUp`: the peer is to be counted on from now on. */
  readonly events: PeerLinkEvents;
  /** The connection stands; whether the peer is to be counted on is seen then. */
  readonly onLinked: (link: PeerLink) => void;
  /** A connection ended, whatever it was good for; `uuid` of the member, undefined when it is none any more. */
  readonly onLost: (link: PeerLink, uuid: string | undefined) => void;
  readonly onRefused: (link: PeerLink, error: MemDbError, peer: ClientHandshakeResult | undefined) => void;
  readonly onLiveness: (number: number, reachable: boolean) => void;
}

/**
 * A connection to every member of the topology, wherever it is, and whether it is to be counted on: it carries data once
 * the start at its other end is the one that gossip knows, for that one was admitted.
 */
export class MemberLinks {
  /** By member number; holes where there is no member, or it is this node. Indexed on hot paths. */
  readonly links: (PeerLink | undefined)[] = [];
  readonly #options: MemberLinksOptions;
  readonly #watch: LinkWatch = new LinkWatch();
  readonly #places: Map<number, Place> = new Map();
  readonly #numbers: Map<string, number> = new Map();
  /** Numbers of those whose link carries data. */
  readonly #usable: Set<number> = new Set();
  readonly #reachable: boolean[] = [];
  /** Where a member said to be that is not admitted yet. */
  readonly #hints: Map<string, string> = new Map();
  /** How often each member was dialed since it was last reached, or heard to be elsewhere. */
  readonly #dials: Map<number, number> = new Map();

  constructor(options: MemberLinksOptions) {
    this.#options = options;
    this.#reachable[options.self] = true;
  }

  /** Members of the topology, in the order of the epoch. */
  get places(): Iterable<Place> {
    return this.#places.values();
  }

  /** Number of the member with that UUID; 0 for a stranger. */
  numberOf(uuid: string): number {
    return this.#numbers.get(uuid) ?? 0;
  }

  /** Whether every member can be counted on. */
  get isComplete(): boolean {
    return this.links.every((link) => link === undefined || this.#usable.has(link.number));
  }

  /** Whether a request sent to this member now is likely to be answered. This node itself always is. Hot. */
  reachable(number: number): boolean {
    return this.#reachable[number] === true;
  }

  /** Whether a member answers at that address. */
  isTaken(address: string): boolean {
    return this.links.some((link) => link?.isUp === true && formatAddress(link.address) === address);
  }

  /** The members are these from now on: reaches for those that are new, and lets go of those that are not among them. */
  setPlaces(places: readonly Place[]): void {
    this.#places.clear();
    this.#numbers.clear();
    for (const place of places) {
      this.#places.set(place.number, place);
      this.#numbers.set(place.uuid, place.number);
    }
    for (const [number, link] of this.links.entries()) {
      if (link === undefined || this.#places.has(number)) continue;
      link.close();
      this.links[number] = undefined;
    }
    for (const { number } of places) {
      if (number !== this.#options.self && this.links[number] === undefined) this.#reach(number);
    }
  }

  /** Says to every member what stands in its link already, and lets go. */
  stop(): void {
    for (const link of this.links) link?.end();
  }

  /** A member says itself where it is, and gossip does not know it yet. */
  onHint(uuid: string, address: string): void {
    this.#hints.set(uuid, address);
    this.#dialAnew(this.numberOf(uuid));
  }

  /** Gossip knows something else of a member than `before`. */
  onChanged(member: Member, before: Member | undefined): void {
    const { uuid, claim, profile } = member;
    const number = this.numberOf(uuid);
    const isOtherStart = before === undefined || compareStarts(member, before) !== 0;
    if (isOtherStart) this.#hints.delete(uuid);
    const link = this.links[number];
    if (isOtherStart || profile.address !== before.profile.address) this.#dialAnew(number);
    else if (claim !== before.claim) {
      if (claim.state === 'alive') link?.hurry();
      // Somebody says that it does not answer: that is looked at now.
      else if (link?.isUp === true) link.ask();
    }
    this.settle(number);
  }

  /** Whether the link to a member carries data: looked at whenever something of either is new. */
  settle(number: number): void {
    const link = this.links[number];
    const peer = link?.peer;
    const held = peer === undefined ? undefined : this.#options.memberOf(peer.identity);
    if (link === undefined || peer === undefined || held === undefined) return;
    const later = compareStarts(held, peer);
    if (later > 0) link.reset('a later start of this node is known');
    else if (later === 0 && !this.#usable.has(number)) {
      this.#usable.add(number);
      this.#options.events.onUp(link, peer);
      this.#setReachable(number, !this.#watch.isSilent(link));
    }
  }

  /** Called every `TICK_MS`. */
  tick(nowMs: number): void {
    this.#watch.tick(nowMs, this.links, (link) => this.#onSilence(link, nowMs));
  }

  /** End of turn: what stands in the links leaves. */
  flush(): void {
    for (const link of this.links) link?.flush();
  }

  #reach(number: number): void {
    const { context, events, onLinked, onRefused, onLost } = this.#options;
    const link = new PeerLink(number, () => this.#whereIs(number), context, {
      onUp: (link, peer) => {
        if (this.numberOf(peer.identity) !== number) {
          link.reset(`another node (${peer.identity}) answers at ${formatAddress(link.address)}`);
          return;
        }
        this.#dials.delete(number);
        onLinked(link);
        this.settle(number);
      },
      onDown: (link, reason) => {
        this.#watch.forget(link);
        if (this.#usable.delete(number)) {
          events.onDown(link, reason);
          this.#setReachable(number, false);
        }
        onLost(link, this.#places.get(number)?.uuid);
      },
      onRefused,
      onFrame: events.onFrame,
    });
    this.links[number] = link;
    link.open();
  }

  /** Where a member is dialed: at one place after the other, of those where it may be. */
  #whereIs(number: number): Address {
    const place = this.#places.get(number);
    if (place === undefined) throw new Error(`there is no member ${number} to dial`);
    const heard = this.#options.memberOf(place.uuid)?.profile.address;
    const hint = this.#hints.get(place.uuid);
    const candidates = [...new Set([hint, heard, place.address].filter((address) => address !== undefined))];
    const turn = this.#dials.get(number) ?? 0;
    this.#dials.set(number, turn + 1);
    return parseAddress(candidates[turn % candidates.length]);
  }

  #dialAnew(number: number): void {
    this.#dials.delete(number);
    this.links[number]?.hurry();
  }

  #onSilence(link: PeerLink, nowMs: number): void {
    const { telemetry } = this.#options.context;
    if (!this.#usable.has(link.number)) return;
    const isSilent = this.#watch.isSilent(link);
    if (isSilent) {
      telemetry.log('warn', 'member-silent', { member: link.number, silentMs: Math.round(nowMs - link.heardMs) });
    } else telemetry.log('info', 'member-answers-again', { member: link.number });
    this.#setReachable(link.number, !isSilent);
  }

  #setReachable(number: number, reachable: boolean): void {
    this.#reachable[number] = reachable;
    this.#options.onLiveness(number, reachable);
  }
}
