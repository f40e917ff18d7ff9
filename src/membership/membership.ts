import type { ClientHandshakeResult } from '@memdb/protocol';
import { decodeIntroduction, encodeMembers, frameOpcode, MemDbError, Opcode, ProtocolError } from '@memdb/protocol';
import { formatAddress, parseAddress } from '../ports/address.js';
import type { Timer } from '../ports/timers.js';
import type { Address } from '../ports/transport.js';
import type { Answer } from './answer.js';
import { Contacts } from './contacts.js';
import { Doorkeeper, type Start } from './doorkeeper.js';
import { Gossip } from './gossip.js';
import { Introduction } from './introduction.js';
import { LinkWatch } from './link-watch.js';
import { type MemberView, viewOfMember } from './member-view.js';
import { PeerLink, type PeerLinkContext, type PeerLinkEvents } from './peer-link.js';
import { compareStarts, type Member, type Profile } from './swim/member.js';
import type { Swim } from './swim/swim.js';
import { TICK_MS } from './swim/timing.js';

/** How often a seed is tried, one after the other, while a member cannot be reached. */
const SEED_MS = 1000;

/** A member of the topology. */
export interface Place {
  readonly number: number;
  readonly uuid: string;
  /** Where it was when the epoch was made: "host:port". */
  readonly address: string;
}

/** What this node tells of itself now. */
export type SelfDescription = Omit<Profile, 'version' | 'health'>;

export interface MembershipOptions {
  readonly context: PeerLinkContext;
  readonly events: PeerLinkEvents & {
    /** A link is up; the peer may not be admitted yet. Before `onUp`, which says that it is to be counted on. */
    onLinked(link: PeerLink): void;
  };
  readonly self: Start & { readonly number: number };
  readonly describe: () => SelfDescription;
  /** Contact points: asked while a member is not where it was last seen. */
  readonly seeds: readonly Address[];
  /** What an earlier start knew. */
  readonly known: readonly Member[];
  /** UUIDs of those who vote on the next epoch. */
  readonly voters: () => readonly string[];
  /** Something about a member is known that was not: to be remembered across restarts, and its epoch to be looked at. */
  readonly onKnown: (member: Member, number: number) => void;
  /** A peer became reachable or suspect. */
  readonly onLiveness: (number: number, reachable: boolean) => void;
  /** This node may answer from now on. */
  readonly onAdmitted: () => void;
  /** This node must end: it is a copy, or another one has its place. */
  readonly onRefused: (error: MemDbError) => void;
}

/**
 * Who is there, and where. It decides nothing about data (architecture: Membership and topology are two things).
 *
 * Who is alive, for all: gossip. Whom this node itself reaches, and asks first: links, which break or fall silent. A link
 * carries data once the start at its other end is the one that gossip knows: that one was admitted.
 */
export class Membership {
  /** By member number; holes where there is no member, or it is this node. Indexed on hot paths. */
  readonly links: (PeerLink | undefined)[] = [];
  readonly #options: MembershipOptions;
  readonly #gossip: Gossip;
  readonly #introduction: Introduction;
  readonly #doorkeeper: Doorkeeper;
  readonly #contacts: Contacts;
  readonly #watch: LinkWatch = new LinkWatch();
  readonly #places: Map<number, Place> = new Map();
  readonly #numbers: Map<string, number> = new Map();
  /** By member number: whether its link carries data; and whether it is counted on, which is asked for each request. */
  readonly #usable: Set<number> = new Set();
  readonly #reachable: boolean[] = [];
  /** Where a member said to be that is not admitted yet. */
  readonly #hints: Map<string, string> = new Map();
  /** Addresses at which this very process was found. */
  readonly #own: Set<string> = new Set();
  /** How often each member was dialed since it was last reached, or heard to be elsewhere. */
  readonly #dials: Map<number, number> = new Map();
  #said: SelfDescription;
  #lastTickMs = 0;
  #seedTurn = 0;
  #seedMs = 0;
  #timer: Timer | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
    const { self, context, voters, describe } = options;
    const { random, telemetry } = context;
    const { uuid, generation, bootNonce } = self;
    this.#said = describe();
    this.#reachable[self.number] = true;
    this.#gossip = new Gossip({
      self: {
        uuid,
        generation,
        bootNonce,
        claim: { incarnation: 0, state: 'alive', by: '', sinceMs: context.turn.wallMs },
        profile: { ...this.#said, version: 0, health: 0 },
      },
      random,
      telemetry,
      isKept: (member) => this.#numbers.has(member),
      linkTo: (member) => this.#gossipLink(member),
      onChanged: (member, before) => this.#onChanged(member, before),
      onSuperseded: (by) => this.#onSuperseded(by),
    });
    this.#doorkeeper = new Doorkeeper({
      memberOf: (member) => this.swim.others.get(member),
      members: () => this.swim.others.values(),
      linkTo: (member) => this.links[this.#numbers.get(member) ?? 0] ?? this.#contacts.to(member),
    });
    this.#introduction = new Introduction({
      self: () => this.swim.self,
      voters,
      onTold: (members) => this.#gossip.hear(members),
      onAdmitted: () => this.#onAdmitted(),
      onRefused: (error) => options.onRefused(error),
    });
    this.#contacts = new Contacts(context, {
      onUp: (link) => this.#onLinked(link),
      onDown: (link) => this.#introduction.onDown(link),
      onRefused: (link, error, peer) => this.#onHandshakeRefused(link, error, startOf(peer)),
      onFrame: (link, bytes, view, start, end) => this.onReply(link, bytes, view, start, end),
    });
  }

  /** What is known of members, by gossip. */
  get swim(): Swim {
    return this.#gossip.swim;
  }

  /** Whether this node may answer: a majority of the voters confirmed that it is still itself. */
  get admitted(): boolean {
    return this.#introduction.admitted;
  }

  /** What is missing until it may, for people. */
  get waitingFor(): string {
    return this.#introduction.waitingFor;
  }

  /** Begins to reach for the members of an epoch. */
  start(places: readonly Place[]): void {
    this.setMembers(places);
    this.#gossip.hear(this.#options.known);
    this.#tick();
    this.#introduction.review();
  }

  /** The members are these from now on: reaches for those that are new, and lets go of those that are not among them. */
  setMembers(places: readonly Place[]): void {
    const { self } = this.#options;
    this.#places.clear();
    this.#numbers.clear();
    for (const place of places) {
      this.#places.set(place.number, place);
      this.#numbers.set(place.uuid, place.number);
    }
    for (const [number, link] of this.links.entries()) {
      if (link === undefined || this.#places.has(number)) continue;
      link.close();
      this.#watch.forget(link);
      this.links[number] = undefined;
    }
    for (const { number } of places) if (number !== self.number && this.links[number] === undefined) this.#reach(number);
    this.#introduction.review();
  }

  /** Says good-bye and lets go of everybody. */
  stop(): void {
    if (this.#timer !== undefined) this.#options.context.timers.stop(this.#timer);
    this.#gossip.leave(this.links.flatMap((link) => (link?.isUp === true ? [link] : [])));
    for (const link of this.links) link?.end();
    this.#contacts.stop();
  }

  /** Whether a request sent to this member now is likely to be answered. This node itself always is. Hot. */
  reachable(number: number): boolean {
    return this.#reachable[number] === true;
  }

  /** Everybody who is known, this node included: members of the topology first, in the order of their numbers. */
  view(): MemberView[] {
    const { self } = this.#options;
    const nameOf = (uuid: string): string => {
      const number = this.#numbers.get(uuid);
      return number === undefined ? uuid : `node ${number}`;
    };
    const members = [...this.#places.values()].map((place): MemberView => {
      const { uuid, number, address } = place;
      const member = uuid === self.uuid ? this.swim.self : this.swim.others.get(uuid);
      if (member !== undefined) return viewOfMember(member, number, this.reachable(number), nameOf);
      return { ...UNKNOWN, uuid, number, address, reachable: this.reachable(number) };
    });
    const others = [...this.swim.others.values()].filter(({ uuid }) => !this.#numbers.has(uuid));
    return [...members, ...others.map((member) => viewOfMember(member, 0, false, nameOf))];
  }

  /** Why a node that proved its key is not let in, as a sentence that tells it what to do. */
  refusalOf(start: Start): string | undefined {
    return this.#doorkeeper.refusalOf(start);
  }

  /** A peer node proved its key on an incoming connection: where it says to be counts until gossip knows better. */
  onPeer(start: Start & { readonly advertisedAddress: string }): void {
    const { uuid, generation, advertisedAddress } = start;
    const number = this.#numbers.get(uuid);
    if (number === undefined || advertisedAddress === '') return;
    const held = this.swim.others.get(uuid);
    if (held !== undefined && (generation <= held.generation || held.profile.address === advertisedAddress)) return;
    this.#hints.set(uuid, advertisedAddress);
    this.#dials.delete(number);
    this.links[number]?.hurry();
  }

  /** A frame of gossip, or an introduction. Throws `ProtocolError` when it is malformed. */
  onRequest(
    from: Start,
    answer: Answer,
    opcode: number,
    correlation: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void {
    if (opcode !== Opcode.introduce) {
      this.#gossip.onRequest(from.uuid, answer, opcode, correlation, bytes, view, start, end);
      return;
    }
    const { self, wantsMembers } = decodeIntroduction(bytes, view, start, end);
    if (self.uuid !== from.uuid || self.bootNonce !== from.bootNonce || self.generation !== from.generation) {
      throw new ProtocolError('bad-request', start, `${from.uuid} introduces ${self.uuid}`);
    }
    this.#doorkeeper.onIntroduced(self, this.#options.context.turn.nowMs, (refusal) => {
      if (refusal !== undefined) {
        this.#options.context.telemetry.log('warn', 'member-refused', { node: self.uuid, message: refusal });
        answer.refuse(opcode, correlation, 'duplicate-node', refusal);
      } else answer.body(opcode, correlation, wantsMembers ? this.#gossip.everything() : NOBODY);
    });
  }

  /** A reply on a link. True when it belonged to membership. Throws `ProtocolError` when it is malformed. */
  onReply(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    switch (frameOpcode(view, start)) {
      case Opcode.ping:
        return true;
      case Opcode.introduce:
        this.#introduction.onReply(link, this.#options.context.turn.nowMs, bytes, view, start, end);
        return true;
      default:
        return this.#gossip.onReply(link, bytes, view, start, end);
    }
  }

  /** End of turn: what stands in the links leaves. */
  flush(): void {
    for (const link of this.links) link?.flush();
    for (const link of this.#contacts.links) link.flush();
  }

  #reach(number: number): void {
    const { context, events } = this.#options;
    const link = new PeerLink(number, () => this.#whereIs(number), context, {
      onUp: (link, peer) => {
        if (this.#numbers.get(peer.identity) !== number) {
          link.reset(`another node (${peer.identity}) answers at ${formatAddress(link.address)}`);
          return;
        }
        this.#dials.delete(number);
        events.onLinked(link);
        this.#onLinked(link);
        this.#settle(number);
      },
      onDown: (link, reason) => {
        this.#introduction.onDown(link);
        this.#watch.forget(link);
        this.#unsettle(link, reason);
        const uuid = this.#places.get(number)?.uuid;
        if (uuid !== undefined) this.swim.lost(uuid);
      },
      onRefused: (link, error, peer) => this.#onHandshakeRefused(link, error, startOf(peer)),
      onFrame: events.onFrame,
    });
    this.links[number] = link;
    link.open();
  }

  /** Where a member is dialed: at one place after the other, of those where it may be. */
  #whereIs(number: number): Address {
    const place = this.#places.get(number);
    if (place === undefined) throw new Error(`there is no member ${number} to dial`);
    const heard = this.swim.others.get(place.uuid)?.profile.address;
    const hint = this.#hints.get(place.uuid);
    const candidates = [...new Set([hint, heard, place.address].filter((address) => address !== undefined))];
    const turn = this.#dials.get(number) ?? 0;
    this.#dials.set(number, turn + 1);
    return parseAddress(candidates[turn % candidates.length]);
  }

  /** A link came up, to a member or a contact. */
  #onLinked(link: PeerLink): void {
    const { turn } = this.#options.context;
    this.#introduction.ask(link, turn.nowMs);
    this.#gossip.greet(link);
    const uuid = link.peer?.identity;
    if (uuid !== undefined && link.number === 0 && this.admitted) this.#gossip.exchangeWith(uuid);
  }

  /** An open link to a member, or to a node that the topology does not know and gossip has something to say to. */
  #gossipLink(uuid: string): PeerLink | undefined {
    const number = this.#numbers.get(uuid);
    const link = number === undefined ? this.#contactTo(uuid) : (this.links[number] ?? undefined);
    return link?.isUp === true && link.peer?.identity === uuid ? link : undefined;
  }

  #contactTo(uuid: string): PeerLink | undefined {
    const { turn } = this.#options.context;
    const open = this.#contacts.to(uuid);
    const address = open === undefined ? this.swim.others.get(uuid)?.profile.address : formatAddress(open.address);
    return address === undefined || address === '' ? undefined : this.#contacts.at(parseAddress(address), turn.nowMs);
  }

  #onAdmitted(): void {
    this.#gossip.speaks = true;
    this.#options.context.telemetry.log('info', 'admitted', { node: this.#options.self.uuid });
    this.#options.onAdmitted();
    for (const link of this.links) if (link?.isUp === true) this.#gossip.greet(link);
    for (const number of this.#places.keys()) this.#settle(number);
  }

  #onChanged(member: Member, before: Member | undefined): void {
    const { telemetry } = this.#options.context;
    const { uuid, claim, profile } = member;
    const number = this.#numbers.get(uuid) ?? 0;
    const isOtherStart = before === undefined || compareStarts(member, before) !== 0;
    if (isOtherStart || claim.state !== before.claim.state) {
      const level = claim.state === 'suspect' || claim.state === 'dead' ? 'warn' : 'info';
      telemetry.log(level, `member-${claim.state}`, { member: number, node: uuid, address: profile.address });
    }
    if (!isOtherStart && profile.address !== before.profile.address) {
      telemetry.log('info', 'member-moved', { member: number, address: profile.address });
    }
    if (isOtherStart) this.#hints.delete(uuid);
    this.#options.onKnown(member, number);
    if (number === 0) return;
    const link = this.links[number];
    const isElsewhere = isOtherStart || profile.address !== before.profile.address;
    if (isElsewhere) this.#dials.delete(number);
    // It is there again, or elsewhere; or somebody says that it does not answer, which is looked at now.
    if (isElsewhere || (claim !== before.claim && claim.state === 'alive')) link?.hurry();
    else if (claim !== before.claim && link?.isUp === true) link.ask();
    this.#settle(number);
  }

  #onSuperseded(by: Member): void {
    const message = `Node ${by.uuid} was started again since (start ${by.generation}, at ${by.profile.address}), and that start counts: this process ends. If this one is the right one, stop the other and start this one again.`;
    this.#options.onRefused(new MemDbError('duplicate-node', message));
  }

  /** Only who proved to be of this cluster can say that this process must end; and not a copy of an admitted node. */
  #onHandshakeRefused(link: PeerLink, error: MemDbError, peer: Start | undefined): void {
    if (error.code === 'same-node') this.#own.add(formatAddress(link.address));
    if (error.code !== 'duplicate-node' || peer === undefined) return;
    if (peer.uuid === this.#options.self.uuid && this.admitted) return;
    this.#options.onRefused(error);
  }

  /** Whether the link to a member carries data: once the start at its other end is the one that is known. */
  #settle(number: number): void {
    const link = this.links[number];
    const peer = link?.peer;
    if (link === undefined || peer === undefined) return;
    const held = this.swim.others.get(peer.identity);
    if (held === undefined) return;
    const later = compareStarts(held, peer);
    if (later > 0) link.reset('a later start of this node is known');
    else if (later === 0 && !this.#usable.has(number)) {
      this.#usable.add(number);
      this.#options.events.onUp(link, peer);
      this.#setReachable(number, !this.#watch.isSilent(link));
    }
  }

  #unsettle(link: PeerLink, reason: string): void {
    if (!this.#usable.delete(link.number)) return;
    this.#options.events.onDown(link, reason);
    this.#setReachable(link.number, false);
  }

  #setReachable(number: number, reachable: boolean): void {
    this.#reachable[number] = reachable;
    this.#options.onLiveness(number, reachable);
  }

  #onSilence(link: PeerLink): void {
    const { telemetry, turn } = this.#options.context;
    if (!this.#usable.has(link.number)) return;
    const isSilent = this.#watch.isSilent(link);
    if (isSilent) {
      const silentMs = Math.round(turn.nowMs - link.heardMs);
      telemetry.log('warn', 'member-silent', { member: link.number, silentMs });
    } else telemetry.log('info', 'member-answers-again', { member: link.number });
    this.#setReachable(link.number, !isSilent);
  }

  /** Seeds lead to members that moved while nobody was there to see it: whoever answers there knows more, or is one. */
  #trySeeds(nowMs: number): void {
    if (nowMs - this.#seedMs < SEED_MS) return;
    const isComplete = this.links.every((link) => link === undefined || this.#usable.has(link.number));
    if (isComplete) return;
    this.#seedMs = nowMs;
    const taken = new Set([...this.#usable].map((number) => formatAddress(this.links[number]?.address ?? NOWHERE)));
    const isOwn = (name: string): boolean => name === this.#said.address || this.#own.has(name);
    const seeds = this.#options.seeds.filter((seed) => {
      const name = formatAddress(seed);
      return !taken.has(name) && !isOwn(name);
    });
    if (seeds.length > 0) this.#contacts.at(seeds[this.#seedTurn++ % seeds.length], nowMs);
  }

  #describe(): void {
    const said = this.#said;
    const now = this.#options.describe();
    const names = Object.keys(now) as (keyof SelfDescription)[];
    const changed = names.filter((name) => now[name] !== said[name]);
    if (changed.length === 0) return;
    this.#said = now;
    this.swim.describe(
      now,
      changed.some((name) => name !== 'load' && name !== 'logEnd'),
    );
  }

  readonly #tick = (): void => {
    const { turn, timers } = this.#options.context;
    const { nowMs } = turn;
    this.#describe();
    for (const link of this.links) {
      if (link?.isUp !== true) continue;
      if (link.heardMs > this.#lastTickMs && link.peer !== undefined) this.#gossip.heard(link.peer.identity);
      this.#introduction.ask(link, nowMs);
    }
    for (const link of this.#contacts.links) this.#introduction.ask(link, nowMs);
    this.#lastTickMs = nowMs;
    this.#gossip.tick(nowMs, turn.wallMs);
    this.#watch.tick(nowMs, this.links, (link) => this.#onSilence(link));
    this.#doorkeeper.tick(nowMs);
    this.#contacts.tick(nowMs);
    this.#trySeeds(nowMs);
    this.#timer = timers.start(TICK_MS, this.#tick);
  };
}

function startOf(peer: ClientHandshakeResult | undefined): Start | undefined {
  return peer === undefined ? undefined : { ...peer, uuid: peer.identity };
}

const NOBODY: Uint8Array = encodeMembers([]);
const NOWHERE: Address = { host: '', port: 0 };
const UNKNOWN = {
  state: 'unknown',
  sinceMs: 0,
  why: 'nothing was heard of it since this node started',
  http: '',
  zone: '',
  host: '',
  weight: 0,
  version: '',
  generation: 0,
  epoch: 0,
  load: 0,
  health: 0,
  logEnd: 0,
} as const;
