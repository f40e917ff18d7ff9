import { FRAME_HEADER_BYTES, memberBytes } from '@memdb/protocol';
import type { Member, MemberState } from '../../src/membership/swim/member.js';
import type { SwimAction, SwimMessage } from '../../src/membership/swim/message.js';
import { Swim } from '../../src/membership/swim/swim.js';
import { ROUND_MS, TICK_MS } from '../../src/membership/swim/timing.js';
import { SIM_EVENT, SimCall } from './sim-event.js';
import { SimHost } from './sim-host.js';
import { SimRandom } from './sim-random.js';
import { SimScheduler } from './sim-scheduler.js';
import { SimTrace } from './sim-trace.js';

/** What a node is slowed down by: everything it does takes so many times as long. */
const EVENT_MS = 0.2;
/** Other work of a node that is slow: pieces of this length, so often a second. At a tenth of its speed 75 % of its time. */
const WORK_MS = 15;
const WORK_INTERVAL_MS = 200;
/** And now and then something long. */
const STALL_CHANCE = 0.002;
const STALL_MS = 100;

/** Something about a member changed at a node. */
export interface GossipChange {
  readonly at: GossipNode;
  readonly member: Member;
  readonly before: Member | undefined;
}

/** Nothing but the state machines of gossip, many of them, and a network that delays, loses and cuts. */
export class GossipWorld {
  readonly random: SimRandom;
  readonly nodes: Map<string, GossipNode> = new Map();
  /** Deaths that were declared of members that ran. */
  readonly falseDeaths: GossipChange[] = [];
  onChange: ((change: GossipChange) => void) | undefined;
  /** Chance that a message is lost. */
  loss = 0;
  messages = 0;
  /** What the messages would take on the wire. */
  bytes = 0;
  readonly #trace: SimTrace = new SimTrace();
  readonly #scheduler: SimScheduler = new SimScheduler(this.#trace);
  readonly #cut: Set<string> = new Set();

  constructor(seed: number) {
    this.random = new SimRandom(seed);
  }

  get nowMs(): number {
    return this.#scheduler.nowMs;
  }

  /** Starts a node, for the first time or again; it knows nobody until it meets a contact. */
  start(name: string, contact?: string): GossipNode {
    const generation = (this.nodes.get(name)?.generation ?? 0) + 1;
    const node = new GossipNode(this, name, generation);
    this.nodes.set(name, node);
    if (contact !== undefined) node.meet(contact);
    return node;
  }

  /** Nodes that all know each other. */
  static formed(seed: number, count: number): GossipWorld {
    const world = new GossipWorld(seed);
    for (let index = 0; index < count; index++) world.start(nameOf(index));
    const all = [...world.nodes.values()].map(({ swim }) => swim.self);
    for (const { swim } of world.nodes.values()) swim.hear(all);
    world.run(60_000);
    return world;
  }

  node(name: string): GossipNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`there is no ${name}`);
    return node;
  }

  get running(): GossipNode[] {
    return [...this.nodes.values()].filter(({ host }) => host.alive);
  }

  /** The machine vanishes: nobody is told. */
  crash(name: string): void {
    this.node(name).host.alive = false;
  }

  pause(name: string): void {
    this.node(name).host.paused = true;
  }

  resume(name: string): void {
    this.#scheduler.resume(this.node(name).host);
  }

  /** Cuts every link between the two groups, or only those from the first to the second. */
  cut(group: readonly string[], others: readonly string[], oneWay = false): void {
    for (const one of group) {
      for (const other of others) {
        this.#cut.add(`${one}>${other}`);
        if (!oneWay) this.#cut.add(`${other}>${one}`);
      }
    }
  }

  /** Heals every link, or those between two nodes. */
  heal(one?: string, other?: string): void {
    if (one === undefined || other === undefined) this.#cut.clear();
    this.#cut.delete(`${one}>${other}`);
    this.#cut.delete(`${other}>${one}`);
  }

  /** Equal for two runs that did the same. */
  traceHash(): string {
    return this.#trace.digest();
  }

  /** Calls `call` at a moment of the world. */
  at(atMs: number, call: () => void): void {
    this.#scheduler.schedule(new SimCall(undefined, SIM_EVENT.world, call), atMs);
  }

  run(untilMs: number): void {
    while (this.#scheduler.step(untilMs));
    this.#scheduler.nowMs = untilMs;
  }

  /** Runs until `predicate` holds, looked at every 100 ms; how long that took, or undefined when it did not by then. */
  runUntil(predicate: () => boolean, withinMs: number): number | undefined {
    const startedMs = this.nowMs;
    while (!predicate()) {
      if (this.nowMs - startedMs >= withinMs) return undefined;
      this.run(this.nowMs + 100);
    }
    return this.nowMs - startedMs;
  }

  /** Whether every running node but that one holds it to be in this state, of its present start. */
  allHold(name: string, state: MemberState): boolean {
    const { generation } = this.node(name);
    return this.running.every((node) => {
      if (node.name === name) return true;
      const held = node.swim.others.get(name);
      return held?.generation === generation && held.claim.state === state;
    });
  }

  /** Whether all running nodes hold each other to be alive. */
  get isWhole(): boolean {
    return this.running.every(({ name }) => this.allHold(name, 'alive'));
  }

  /** Whether everybody who runs holds what is true of everybody: who runs, which start, and what each tells of itself. */
  get isAgreed(): boolean {
    return this.running.every((node) =>
      [...this.nodes.values()].every(({ name, generation, host, swim }) => {
        if (name === node.name) return true;
        const held = node.swim.others.get(name);
        if (!host.alive) return held?.claim.state !== 'alive' && held?.claim.state !== 'suspect';
        return (
          held?.generation === generation &&
          held.claim.state === 'alive' &&
          held.claim.incarnation === swim.self.claim.incarnation &&
          held.profile.epoch === swim.self.profile.epoch
        );
      }),
    );
  }

  send(from: string, to: string, message: SwimMessage): void {
    this.messages++;
    this.bytes += bytesOf(message);
    if (this.#cut.has(`${from}>${to}`) || this.random.chance(this.loss)) return;
    const target = this.nodes.get(to);
    if (target === undefined) return;
    this.schedule(this.random.between(0.2, 2), target.host, () => target.receive(from, message));
  }

  schedule(delayMs: number, host: SimHost, call: () => void): void {
    this.#scheduler.schedule(new SimCall(host, SIM_EVENT.world, call), this.nowMs + delayMs);
  }
}

/** One process. */
export class GossipNode {
  readonly name: string;
  readonly generation: number;
  readonly host: SimHost;
  readonly swim: Swim;
  /** So many times as long everything takes; above 1 it also has other work to do. */
  slowness = 1;
  /** Starts that supersede this one. */
  readonly supersededBy: Member[] = [];
  readonly #world: GossipWorld;
  readonly #random: SimRandom;
  readonly #queue: { readonly costMs: number; readonly call: () => void }[] = [];
  #isBusy = false;

  constructor(world: GossipWorld, name: string, generation: number) {
    this.name = name;
    this.generation = generation;
    this.host = new SimHost(name, world.nodes.size);
    this.#world = world;
    this.#random = world.random.fork(`${name}/${generation}`);
    this.swim = new Swim({
      self: startOf(name, generation, world.nowMs),
      random: this.#random,
      isKept: () => false,
    });
    world.schedule(this.#random.between(0, TICK_MS), this.host, () => this.#tick());
    this.#work();
  }

  receive(from: string, message: SwimMessage): void {
    this.#do(EVENT_MS, () => this.swim.receive(from, message));
  }

  /** Dials a contact and exchanges all with it, until it knows somebody. */
  meet(contact: string): void {
    if (this.swim.others.size > 0) return;
    this.swim.exchangeWith(contact);
    this.#act();
    this.#world.schedule(ROUND_MS, this.host, () => this.meet(contact));
  }

  /** Says good-bye: everybody it can reach is told in its last turn. */
  leave(): void {
    this.swim.leave();
    for (const uuid of this.swim.others.keys()) {
      this.#world.send(this.name, uuid, { kind: 'ping', sequence: 0, members: this.swim.newsFor(uuid) });
    }
  }

  #tick(): void {
    const tick = (): void => {
      this.swim.tick(this.#world.nowMs, this.#world.nowMs);
      this.#world.schedule(TICK_MS, this.host, () => this.#tick());
    };
    // As in an event loop: timers that are due come before what waits in the sockets.
    if (this.slowness > 1) this.#queue.unshift({ costMs: EVENT_MS, call: tick });
    else this.#queue.push({ costMs: EVENT_MS, call: tick });
    this.#serve();
  }

  #do(costMs: number, call: () => void): void {
    this.#queue.push({ costMs, call });
    this.#serve();
  }

  /** Does one thing after the other; each takes its time where the node is slow. */
  #serve(): void {
    if (this.#isBusy) return;
    const next = this.#queue.shift();
    if (next === undefined) return;
    const stallMs = this.slowness > 1 && this.#random.chance(STALL_CHANCE) ? STALL_MS : 0;
    if (this.slowness === 1) {
      next.call();
      this.#act();
      this.#serve();
      return;
    }
    this.#isBusy = true;
    this.#world.schedule((next.costMs + stallMs) * this.slowness, this.host, () => {
      this.#isBusy = false;
      next.call();
      this.#act();
      this.#serve();
    });
  }

  #work(): void {
    const waitMs = -Math.log(1 - this.#random.unit()) * WORK_INTERVAL_MS;
    this.#world.schedule(this.slowness > 1 ? waitMs : 1000, this.host, () => {
      if (this.slowness > 1) this.#do(WORK_MS, () => {});
      this.#work();
    });
  }

  #act(): void {
    for (const action of this.swim.takeActions()) this.#perform(action);
  }

  #perform(action: SwimAction): void {
    const world = this.#world;
    switch (action.kind) {
      case 'send':
        world.send(this.name, action.to, action.message);
        return;
      case 'superseded':
        this.supersededBy.push(action.by);
        return;
      case 'changed': {
        const { member, before } = action;
        const change = { at: this, member, before };
        world.onChange?.(change);
        const node = world.nodes.get(member.uuid);
        if (member.claim.state !== 'dead' || member.claim.by !== this.name) return;
        if (node?.generation === member.generation && node.host.alive) world.falseDeaths.push(change);
        return;
      }
    }
  }
}

/** Of a frame of PROTOCOL.md, "Gossip": some kinds have a few bytes more before the list. */
function bytesOf({ members }: SwimMessage): number {
  return members.reduce((sum, member) => sum + memberBytes(member), FRAME_HEADER_BYTES + 2);
}

export function nameOf(index: number): string {
  return `n${index + 1}`;
}

/** What a node tells of itself when it starts. */
export function startOf(uuid: string, generation: number, nowMs: number): Member {
  return {
    uuid,
    generation,
    bootNonce: generation.toString(16).padStart(16, '0'),
    claim: { incarnation: 0, state: 'alive', by: '', sinceMs: nowMs },
    profile: {
      version: 0,
      address: `${uuid}:10000`,
      http: `${uuid}:10100`,
      zone: 'zone-1',
      host: `${uuid}.example.net`,
      weight: 1,
      release: '0.1.0',
      epoch: 0,
      load: 0,
      health: 0,
      logEnd: 0,
    },
  };
}
