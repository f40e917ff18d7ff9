import { MEMBERS_MAX, RUMORS_TOLD_MAX } from '../../model/limits.js';
import type { Random } from '../../ports/random.js';
import { AttentiveClock } from './attentive-clock.js';
import { LocalHealth } from './local-health.js';
import { compareStarts, isPresent, type Member, mergeMembers, type Profile } from './member.js';
import type { SwimAction, SwimMessage } from './message.js';
import { below, ProbeOrder } from './probe-order.js';
import { Prober } from './prober.js';
import { Rumors } from './rumors.js';
import { Suspicions } from './suspicions.js';
import { CONFIRMATIONS, exchangeMs, FORGET_MS, KNOCK_MS, PROBES_AT_ONCE, ROUND_MS, TICK_MS } from './timing.js';

export interface SwimOptions {
  /** This start of this node, as it introduces itself. */
  readonly self: Member;
  readonly random: Random;
  /** Whether a member is remembered however long it is dead. */
  readonly isKept: (uuid: string) => boolean;
}

/** Members of those that hear an accusation that probe the suspect next, on average. */
const SECOND_OPINIONS = 2 * CONFIRMATIONS;

/** What happened so far. */
export interface SwimCounts {
  probes: number;
  probesFailed: number;
  relaysAsked: number;
  /** Members that this node was the first to suspect. */
  suspicions: number;
  /** Accusations of this node that it refuted. */
  refutations: number;
  /** Members that this node declared dead. */
  deaths: number;
  exchanges: number;
}

/**
 * Who is in the cluster and alive (Das, Gupta and Motivala, "SWIM", 2002; Dadgar, Phillips and Currey, "Lifeguard",
 * 2018). A state machine: time and messages go in by its methods, what is to be done comes out of `takeActions`.
 *
 * Invariants: only a node itself raises its incarnation; what is held of a start never goes back (`mergeMembers`); a
 * member is declared dead only after a suspicion that it had time to refute.
 */
export class Swim {
  readonly health: LocalHealth = new LocalHealth();
  readonly counts: SwimCounts = {
    probes: 0,
    probesFailed: 0,
    relaysAsked: 0,
    suspicions: 0,
    refutations: 0,
    deaths: 0,
    exchanges: 0,
  };
  readonly #options: SwimOptions;
  readonly #clock: AttentiveClock = new AttentiveClock(TICK_MS);
  readonly #others: Map<string, Member> = new Map();
  readonly #order: ProbeOrder;
  readonly #probers: readonly Prober[];
  readonly #suspicions: Suspicions = new Suspicions();
  readonly #rumors: Rumors = new Rumors();
  #self: Member;
  #wallMs = 0;
  #sequence = 0;
  #exchangeAtMs: number;
  #knockAtMs = KNOCK_MS;
  #actions: SwimAction[] = [];

  constructor(options: SwimOptions) {
    const { self, random } = options;
    this.#options = options;
    this.#self = self;
    this.#order = new ProbeOrder(random);
    this.#exchangeAtMs = below(random, exchangeMs(1));
    // Nodes that start together do not probe together.
    const firstRoundMs = below(random, ROUND_MS);
    this.#probers = Array.from({ length: PROBES_AT_ONCE }, (_, index) =>
      this.#makeProber(firstRoundMs + (index * ROUND_MS) / PROBES_AT_ONCE),
    );
  }

  /** This node as it tells of itself. */
  get self(): Member {
    const { score } = this.health;
    const { profile } = this.#self;
    if (profile.health !== score)
      this.#self = { ...this.#self, profile: { ...profile, health: score, version: profile.version + 1 } };
    return this.#self;
  }

  /** Everybody else who is known, dead or alive. */
  get others(): ReadonlyMap<string, Member> {
    return this.#others;
  }

  /** Members that may answer, this node included. */
  get present(): number {
    return this.#order.size + 1;
  }

  /** Who has to answer a probe now. */
  get probing(): string[] {
    return this.#probers.flatMap(({ target }) => target ?? []);
  }

  takeActions(): SwimAction[] {
    return this.#actions.splice(0);
  }

  /** Called every `TICK_MS`; later when this node cannot keep up, which makes it patient with others. */
  tick(monotonicMs: number, wallMs: number): void {
    this.#wallMs = wallMs;
    if (this.#clock.tick(monotonicMs) > 0) this.health.worse();
    const { nowMs } = this.#clock;
    for (const prober of this.#probers) prober.tick(nowMs);
    for (const uuid of this.#suspicions.due(nowMs)) this.#declareDead(uuid);
    if (nowMs >= this.#exchangeAtMs) {
      this.#exchangeAtMs = nowMs + exchangeMs(this.present);
      const [partner] = this.#order.pick(1, (uuid) => this.#isAlive(uuid));
      if (partner !== undefined) this.exchangeWith(partner);
      this.#forget();
    }
    if (nowMs >= this.#knockAtMs) {
      this.#knockAtMs = nowMs + KNOCK_MS;
      this.#knock();
    }
  }

  /** A message of a member, whose connection says who it is. */
  receive(from: string, message: SwimMessage): void {
    const isExchange = message.kind === 'exchange' || message.kind === 'exchanged';
    this.hear(isExchange ? message.members.map((member) => this.#unlessHeardFrom(member)) : message.members);
    this.#suspicions.heard(from, this.#clock.nowMs);
    this.#answered(from, message.kind === 'ack' ? message.sequence : undefined);
    switch (message.kind) {
      case 'ping':
        this.#send(from, { kind: 'ack', sequence: message.sequence, members: this.#news(this.#others.get(from)) });
        return;
      case 'ack':
        return;
      case 'relay':
        this.#probers[0].probeFor(from, message.sequence, message.target, this.#clock.nowMs);
        return;
      case 'relayed':
        for (const prober of this.#probers) prober.relayAnswered(message.sequence, message.reached);
        return;
      case 'exchange':
        this.#send(from, { kind: 'exchanged', members: this.#everything() });
        return;
      case 'exchanged':
        return;
    }
  }

  /** A member gave a sign of life in another way. */
  heard(uuid: string): void {
    this.#suspicions.heard(uuid, this.#clock.nowMs);
    this.#answered(uuid);
  }

  /** A connection to a member was lost: it is probed next. */
  lost(uuid: string): void {
    this.#order.soon(uuid);
  }

  /** What is known of members, from wherever. */
  hear(members: readonly Member[]): void {
    for (const member of members) {
      if (member.uuid === this.#self.uuid) this.#hearOfSelf(member);
      else this.#hearOf(member);
    }
  }

  /** Asks a member for all that it knows, and tells it all: when it is met for the first time, or again. */
  exchangeWith(uuid: string): void {
    this.counts.exchanges++;
    this.#send(uuid, { kind: 'exchange', members: this.#everything() });
  }

  /** The rumors that a message to somebody begins with; for messages that are sent for another reason. */
  newsFor(uuid: string): Member[] {
    return this.#news(this.#others.get(uuid));
  }

  /** This node tells something else of itself. `spread`: others are told as soon as they can be, not in time. */
  describe(profile: Omit<Profile, 'version' | 'health'>, spread: boolean): void {
    const { version, health } = this.#self.profile;
    this.#self = { ...this.#self, profile: { ...profile, health, version: version + 1 } };
    if (spread) this.#rumors.replace(this.#self);
  }

  /** This node is about to stop: nobody needs to suspect it. */
  leave(): void {
    this.#claimSelf(this.#self.claim.incarnation, 'left');
  }

  #makeProber(firstRoundMs: number): Prober {
    return new Prober({
      health: this.health,
      firstRoundMs,
      nextSequence: () => {
        this.#sequence = this.#sequence === 0xffffffff ? 1 : this.#sequence + 1;
        return this.#sequence;
      },
      next: () => this.#order.next(),
      relays: (count, target) => this.#order.pick(count, (uuid) => uuid !== target && this.#isAlive(uuid)),
      ping: (target, sequence) => this.#ping(target, sequence),
      askRelay: (relay, sequence, target) => {
        this.counts.relaysAsked++;
        this.#send(relay, { kind: 'relay', sequence, target, members: this.#news(this.#others.get(target), true) });
      },
      answerRelay: (asker, sequence, reached) =>
        this.#send(asker, { kind: 'relayed', sequence, reached, members: this.#news() }),
      failed: (target) => this.#accuse(target),
    });
  }

  #answered(from: string, sequence?: number): void {
    for (const prober of this.#probers) prober.answered(from, sequence);
  }

  #hearOfSelf(heard: Member): void {
    const later = compareStarts(heard, this.#self);
    if (later > 0) this.#actions.push({ kind: 'superseded', by: heard });
    if (later !== 0 || this.#self.claim.state === 'left') return;
    const { incarnation, state } = heard.claim;
    if (state === 'alive' || incarnation < this.#self.claim.incarnation) return;
    this.counts.refutations++;
    this.health.worse();
    this.#claimSelf(incarnation + 1, 'alive');
  }

  /**
   * Whoever comes from beyond a cut holds everybody on this side for dead. A member that answers here gets the chance to
   * refute it before it counts as dead here too.
   */
  #unlessHeardFrom(heard: Member): Member {
    const held = this.#others.get(heard.uuid);
    if (heard.claim.state !== 'dead' || held === undefined || !isPresent(held)) return heard;
    return { ...heard, claim: { ...heard.claim, state: 'suspect' } };
  }

  #claimSelf(incarnation: number, state: 'alive' | 'left'): void {
    this.#self = { ...this.#self, claim: { incarnation, state, by: '', sinceMs: this.#wallMs } };
    this.#rumors.replace(this.#self);
  }

  #hearOf(heard: Member): void {
    const held = this.#others.get(heard.uuid);
    if (held === undefined) {
      if (this.#isForgotten(heard)) return;
      if (this.#others.size >= MEMBERS_MAX && !this.#makeRoom()) return;
    }
    const merged = held === undefined ? heard : mergeMembers(held, heard);
    if (merged !== held) this.#hold(merged, held);
    // Each accuser is a voice of its own, also where the first one's claim is what is held.
    if (this.#isSuspectIn(merged, heard) && this.#suspicions.accuse(heard, this.present, this.#clock.nowMs)) {
      this.#rumors.add({ ...merged, claim: heard.claim });
      // Some look for themselves at once: whether others agree decides how long the suspect has.
      if (below(this.#options.random, this.present) < SECOND_OPINIONS) this.#order.soon(heard.uuid);
    }
  }

  /** Whether `heard` says of a member what is also held of it: that it is suspect, in this very incarnation. */
  #isSuspectIn(held: Member, heard: Member): boolean {
    return (
      held.claim.state === 'suspect' &&
      heard.claim.state === 'suspect' &&
      held.claim.incarnation === heard.claim.incarnation &&
      compareStarts(held, heard) === 0
    );
  }

  #hold(member: Member, before: Member | undefined): void {
    const { uuid, claim } = member;
    this.#others.set(uuid, member);
    if (isPresent(member)) this.#order.add(uuid);
    else this.#order.remove(uuid);
    if (claim.state !== 'suspect') this.#suspicions.end(uuid);
    if (claim.state !== 'suspect' && isNews(member, before)) this.#rumors.replace(member);
    this.#actions.push({ kind: 'changed', member, before });
  }

  /** The probe of a member failed: it is suspect, in the incarnation that is known. */
  #accuse(uuid: string): void {
    this.counts.probesFailed++;
    const held = this.#others.get(uuid);
    if (held === undefined || !isPresent(held)) return;
    if (held.claim.state === 'alive') this.counts.suspicions++;
    const { incarnation } = held.claim;
    const claim = { incarnation, state: 'suspect', by: this.#self.uuid, sinceMs: this.#wallMs } as const;
    this.#hearOf({ ...held, claim });
  }

  #declareDead(uuid: string): void {
    this.#suspicions.end(uuid);
    const held = this.#others.get(uuid);
    if (held?.claim.state !== 'suspect') throw new Error(`${uuid} is declared dead without being suspect`);
    this.counts.deaths++;
    const { incarnation } = held.claim;
    const claim = { incarnation, state: 'dead', by: this.#self.uuid, sinceMs: this.#wallMs } as const;
    this.#hold({ ...held, claim }, held);
  }

  #ping(target: string, sequence: number): void {
    this.counts.probes++;
    this.#send(target, { kind: 'ping', sequence, members: this.#news(this.#others.get(target)) });
  }

  #send(to: string, message: SwimMessage): void {
    this.#actions.push({ kind: 'send', to, message });
  }

  /**
   * What a message begins with: this node itself, then what is held of somebody where that needs an answer (a suspect
   * learns at once what it has to refute), then rumors.
   */
  #news(about?: Member, always = false): Member[] {
    const news = [this.self];
    if (about !== undefined && (always || about.claim.state !== 'alive')) news.push(about);
    news.push(...this.#rumors.tell(RUMORS_TOLD_MAX, this.present));
    return news;
  }

  #everything(): Member[] {
    return [this.self, ...this.#others.values()];
  }

  #isAlive(uuid: string): boolean {
    return this.#others.get(uuid)?.claim.state === 'alive';
  }

  /** One of the dead may be alive beyond a cut that has healed: it is told what is said of it, and refutes. */
  #knock(): void {
    const dead = [...this.#others.values()].filter(({ claim }) => claim.state === 'dead');
    if (dead.length > 0) this.exchangeWith(dead[below(this.#options.random, dead.length)].uuid);
  }

  #forget(): void {
    for (const member of this.#others.values()) if (this.#isForgotten(member)) this.#drop(member.uuid);
  }

  #isForgotten(member: Member): boolean {
    return !isPresent(member) && this.#wallMs - member.claim.sinceMs > FORGET_MS && !this.#options.isKept(member.uuid);
  }

  /** When there are too many, who is gone longest is forgotten. False when nobody is gone. */
  #makeRoom(): boolean {
    let gone: Member | undefined;
    for (const member of this.#others.values()) {
      if (isPresent(member) || this.#options.isKept(member.uuid)) continue;
      if (gone === undefined || member.claim.sinceMs < gone.claim.sinceMs) gone = member;
    }
    if (gone !== undefined) this.#drop(gone.uuid);
    return gone !== undefined;
  }

  #drop(uuid: string): void {
    this.#others.delete(uuid);
    this.#order.remove(uuid);
    this.#suspicions.end(uuid);
  }
}

/** Load and health change all the time, and travel with what their owner says anyway. */
function isNews(member: Member, before: Member | undefined): boolean {
  if (before === undefined || compareStarts(member, before) !== 0 || member.claim !== before.claim) return true;
  const a = member.profile;
  const b = before.profile;
  return !(
    a.address === b.address &&
    a.http === b.http &&
    a.zone === b.zone &&
    a.host === b.host &&
    a.weight === b.weight &&
    a.release === b.release &&
    a.epoch === b.epoch
  );
}
