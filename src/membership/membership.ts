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
import { MemberLinks, type Place } from './member-links.js';
import { type MemberView, viewOfMember } from './member-view.js';
import type { PeerLink, PeerLinkContext, PeerLinkEvents } from './peer-link.js';
import { compareStarts, type Member, type Profile } from './swim/member.js';
import type { Swim } from './swim/swim.js';
import { TICK_MS } from './swim/timing.js';

/** How often a seed is tried, one after the other, while a member cannot be reached. */
const SEED_MS = 1000;

/** What this node tells of itself now. */
export type SelfDescription = Omit<Profile, 'version' | 'health'>;

export interface MembershipOptions {
  readonly context: PeerLinkContext;
  readonly events: PeerLinkEvents & {
    /** A link is up; the peer may not be admitted yet. Before `onUp`, which says that it is to be counted on. */
    onLinked(link: PeerLink): void;
    /** It ended, whatever it was good for. After `onDown`. */
    onUnlinked(link: PeerLink): void;
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
  readonly links: readonly (PeerLink | undefined)[];
  readonly #options: MembershipOptions;
  readonly #gossip: Gossip;
  readonly #introduction: Introduction;
  readonly #doorkeeper: Doorkeeper;
  readonly #contacts: Contacts;
  readonly #members: MemberLinks;
  /** Addresses at which this very process was found. */
  readonly #own: Set<string> = new Set();
  /** Seeds that were tried. */
  readonly #tried: Set<string> = new Set();
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
      isKept: (member) => this.#members.numberOf(member) !== 0,
      linkTo: (member) => this.#gossipLink(member),
      onChanged: (member, before) => this.#onChanged(member, before),
      onSuperseded: (by) => this.#onSuperseded(by),
    });
    this.#doorkeeper = new Doorkeeper({
      self: () => this.swim.self,
      memberOf: (member) => this.swim.others.get(member),
      members: () => this.swim.others.values(),
      linkTo: (member) => this.links[this.#members.numberOf(member)] ?? this.#contacts.to(member),
    });
    this.#introduction = new Introduction({
      self: () => this.swim.self,
      voters,
      onTold: (members) => this.#gossip.hear(members),
      onAdmitted: () => this.#onAdmitted(),
      onRefused: (error) => options.onRefused(error),
    });
    const onRefused = (link: PeerLink, error: MemDbError, peer: ClientHandshakeResult | undefined): void =>
      this.#onHandshakeRefused(link, error, peer?.identity);
    this.#members = new MemberLinks({
      context,
      self: self.number,
      memberOf: (member) => this.swim.others.get(member),
      events: options.events,
      onLinked: (link) => {
        options.events.onLinked(link);
        this.#onLinked(link);
      },
      onLost: (link, member) => {
        this.#introduction.onDown(link);
        options.events.onUnlinked(link);
        if (member !== undefined) this.swim.lost(member);
      },
      onRefused,
      onLiveness: options.onLiveness,
    });
    this.links = this.#members.links;
    this.#contacts = new Contacts(context, {
      onUp: (link) => this.#onLinked(link),
      onDown: (link) => this.#introduction.onDown(link),
      onRefused,
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
    this.#members.setPlaces(places);
    this.#introduction.review();
  }

  /** Says good-bye and lets go of everybody. */
  stop(): void {
    if (this.#timer !== undefined) this.#options.context.timers.stop(this.#timer);
    this.#gossip.leave(this.links.flatMap((link) => (link?.isUp === true ? [link] : [])));
    this.#members.stop();
    this.#contacts.stop();
  }

  /** Whether a request sent to this member now is likely to be answered. This node itself always is. Hot. */
  reachable(number: number): boolean {
    return this.#members.reachable(number);
  }

  /** Everybody who is known, this node included: members of the topology first, in the order of their numbers. */
  view(): MemberView[] {
    const { self } = this.#options;
    const nameOf = (uuid: string): string => {
      const number = this.#members.numberOf(uuid);
      return number === 0 ? uuid : `node ${number}`;
    };
    const members = [...this.#members.places].map((place): MemberView => {
      const { uuid, number, address } = place;
      const member = uuid === self.uuid ? this.swim.self : this.swim.others.get(uuid);
      if (member !== undefined) return viewOfMember(member, number, this.reachable(number), nameOf);
      return { ...UNKNOWN, uuid, number, address, reachable: this.reachable(number) };
    });
    const others = [...this.swim.others.values()].filter(({ uuid }) => this.#members.numberOf(uuid) === 0);
    return [...members, ...others.map((member) => viewOfMember(member, 0, false, nameOf))];
  }

  /** Why a node that proved its key is not let in, as a sentence that tells it what to do. */
  refusalOf(start: Start): string | undefined {
    return this.#doorkeeper.refusalOf(start);
  }

  /** A peer node proved its key on an incoming connection: where it says to be counts until gossip knows better. */
  onPeer(start: Start & { readonly advertisedAddress: string }): void {
    const { uuid, generation, advertisedAddress } = start;
    if (this.#members.numberOf(uuid) === 0 || advertisedAddress === '') return;
    const held = this.swim.others.get(uuid);
    if (held !== undefined && (generation <= held.generation || held.profile.address === advertisedAddress)) return;
    this.#members.onHint(uuid, advertisedAddress);
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
    this.#members.flush();
    for (const link of this.#contacts.links) link.flush();
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
    const number = this.#members.numberOf(uuid);
    const link = number === 0 ? this.#contactTo(uuid) : this.links[number];
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
    for (const { number } of this.#members.places) this.#members.settle(number);
  }

  #onChanged(member: Member, before: Member | undefined): void {
    const { telemetry } = this.#options.context;
    const { uuid, claim, profile } = member;
    const number = this.#members.numberOf(uuid);
    const isOtherStart = before === undefined || compareStarts(member, before) !== 0;
    if (isOtherStart || claim.state !== before.claim.state) {
      const level = claim.state === 'suspect' || claim.state === 'dead' ? 'warn' : 'info';
      telemetry.log(level, `member-${claim.state}`, { member: number, node: uuid, address: profile.address });
    }
    if (before !== undefined && profile.address !== before.profile.address) {
      telemetry.log('info', 'member-moved', { member: number, address: profile.address });
    }
    this.#options.onKnown(member, number);
    this.#members.onChanged(member, before);
  }

  #onSuperseded(by: Member): void {
    const message = `Node ${by.uuid} was started again since (start ${by.generation}, at ${by.profile.address}), and that start counts: this process ends. If this one is the right one, stop the other and start this one again.`;
    this.#options.onRefused(new MemDbError('duplicate-node', message));
  }

  /** Only who proved to be of this cluster can say that this process must end; and not a copy of an admitted node. */
  #onHandshakeRefused(link: PeerLink, error: MemDbError, peer: string | undefined): void {
    if (error.code === 'same-node') this.#own.add(formatAddress(link.address));
    if (error.code !== 'duplicate-node' || peer === undefined) return;
    if (peer === this.#options.self.uuid && this.admitted) return;
    this.#options.onRefused(error);
  }

  /**
   * Seeds lead to members that moved while nobody was there to see it: whoever answers there knows more, or is one. Where
   * nobody is missed each is still tried once: one that belongs to another cluster is a mistake that somebody should hear of.
   */
  #trySeeds(nowMs: number): void {
    if (nowMs - this.#seedMs < SEED_MS) return;
    const isOwn = (name: string): boolean => name === this.#said.address || this.#own.has(name);
    const { isComplete } = this.#members;
    const seeds = this.#options.seeds.filter((seed) => {
      const name = formatAddress(seed);
      return !this.#members.isTaken(name) && !isOwn(name) && !(isComplete && this.#tried.has(name));
    });
    if (seeds.length === 0) return;
    this.#seedMs = nowMs;
    const seed = seeds[this.#seedTurn++ % seeds.length];
    this.#tried.add(formatAddress(seed));
    this.#contacts.at(seed, nowMs);
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
    this.#members.tick(nowMs);
    this.#doorkeeper.tick(nowMs);
    this.#contacts.tick(nowMs);
    this.#trySeeds(nowMs);
    this.#timer = timers.start(TICK_MS, this.#tick);
  };
}

const NOBODY: Uint8Array = encodeMembers([]);
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
