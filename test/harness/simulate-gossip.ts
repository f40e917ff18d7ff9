import { compareClaims, compareStarts } from '../../src/membership/swim/member.js';
import { RELAYS, ROUND_MS } from '../../src/membership/swim/timing.js';
import { type GossipChange, type GossipNode, GossipWorld, nameOf } from './gossip-world.js';
import { runIncidents } from './run-incidents.js';
import type { SimRandom } from './sim-random.js';
import type { RunReport, SimulateOptions } from './simulate.js';

/** Named as a kind of load: `npm run sim -- --workload gossip`. It is never drawn. */
export const GOSSIP_WORKLOAD = 'gossip';

const SIZES = [3, 5, 8, 20, 3, 5, 8, 60];
const INCIDENTS = 12;
/** Between two incidents, and after the last one. */
const CALM_MS_MAX = 12_000;
/** A node that stands still no longer than this is not declared dead: every suspicion gives it longer. */
const SHORT_PAUSE_MS = 2500;
/** How long after a cut, a long pause or a crash deaths are explained by it. */
const EXPLAINED_MS = 45_000;
/** By then everybody agrees after everything has healed, full exchanges included. */
const CONVERGE_MS: number = 90 * ROUND_MS;
const NEWS_MS: number = 15 * ROUND_MS;
const OWES_MS: number = 5 * ROUND_MS;
const BROKEN_MAX = 100;

type Incident = (run: Run, name: string) => void;

/**
 * Random troubles of a cluster of which only gossip is simulated: nodes that crash, restart, stand still, are slow, join,
 * leave, and links that are cut. Nobody who is well is declared dead, what is held of a member never goes back, news
 * spread within 15 rounds, and in the end all agree.
 */
export function simulateGossip(options: SimulateOptions): RunReport {
  return runIncidents(options, GOSSIP_WORKLOAD, INCIDENTS, new Run(options.seed));
}

class Run {
  readonly world: GossipWorld;
  readonly broken: string[] = [];
  readonly lines: string[] = [];
  /** How often each incident happened. */
  readonly counted: Record<string, number> = {};
  readonly random: SimRandom;
  /** Two nodes that cannot reach each other while several others reach both: they may not suspect each other. */
  cutPair: readonly string[] = [];
  /** Until when the death of a node, or one that it declares, is explained. */
  readonly #explainedUntilMs: Map<string, number> = new Map();
  /** Until when a node that stood still or was slow may owe answers. */
  readonly #owesUntilMs: Map<string, number> = new Map();

  constructor(seed: number) {
    const world = GossipWorld.formed(seed, SIZES[seed % SIZES.length]);
    this.world = world;
    this.random = world.random.fork('incidents');
    world.loss = this.random.pick([0, 0, 0.02]);
    world.onChange = (change): void => this.#onChange(change);
  }

  execute(): void {
    const { world, random } = this;
    for (let count = 0; count < INCIDENTS; count++) {
      const kind = random.pick(Object.keys(INCIDENT_KINDS));
      const { well } = this;
      // Somebody always stays to be joined, and to be a relay.
      if (well.length > 2) {
        const victim = random.pick(well);
        this.counted[kind] = (this.counted[kind] ?? 0) + 1;
        this.note(`${kind} at ${victim}`);
        INCIDENT_KINDS[kind](this, victim);
      }
      world.run(world.nowMs + random.below(CALM_MS_MAX));
    }
    world.heal();
    world.loss = 0;
    this.note('everything heals');
    for (const { name } of world.running) this.recovers(name);
    const converged = world.runUntil(() => world.isAgreed, CONVERGE_MS);
    if (converged === undefined) this.#fail(`the members do not agree ${CONVERGE_MS} ms after everything healed`);
    for (const node of world.running) {
      for (const by of node.supersededBy)
        this.#fail(`${node.name} believes that it was started again: ${by.generation}`);
    }
  }

  /** Running nodes, neither paused nor slow. */
  get well(): string[] {
    return this.world.running.flatMap(({ name, host, slowness }) => (host.paused || slowness > 1 ? [] : name));
  }

  explain(names: readonly string[]): void {
    for (const name of names) this.#explainedUntilMs.set(name, this.world.nowMs + EXPLAINED_MS);
  }

  /** The node answers like any other again, but what came before waits still. */
  recovers(name: string): void {
    const node = this.world.node(name);
    this.#owesUntilMs.set(name, this.world.nowMs + OWES_MS);
    node.slowness = 1;
    if (node.host.paused) this.world.resume(name);
  }

  later(delayMs: number, call: () => void): void {
    this.world.at(this.world.nowMs + delayMs, call);
  }

  note(text: string): void {
    this.lines.push(`${(this.world.nowMs / 1000).toFixed(1)} s: ${text}`);
  }

  /** Something that everybody who is well must hear of within 15 rounds. */
  mustSpread(subject: string, what: string, isKnownAt: (name: string) => boolean): void {
    const { well } = this;
    this.later(NEWS_MS, () => {
      if (!this.well.includes(subject)) return;
      for (const name of well) {
        if (!this.well.includes(name) || this.#isExplained(name) || isKnownAt(name)) continue;
        this.#fail(`${name} has not heard within 15 rounds that ${subject} ${what}`);
      }
    });
  }

  #isExplained(name: string): boolean {
    return (this.#explainedUntilMs.get(name) ?? 0) > this.world.nowMs;
  }

  #onChange({ at, member, before }: GossipChange): void {
    const { claim, uuid } = member;
    this.note(
      `${at.name} holds ${uuid} (start ${member.generation}, ${claim.incarnation}) ${claim.state} by ${claim.by}`,
    );
    if (before !== undefined) {
      const later = compareStarts(member, before);
      const back = compareClaims(claim, before.claim) < 0 || member.profile.version < before.profile.version;
      if (later < 0 || (later === 0 && back)) this.#fail(`what ${at.name} holds of ${uuid} went back`);
    }
    if (claim.state === 'suspect' && claim.by === at.name && before?.claim.state === 'alive') this.#onAccused(at, uuid);
    const node = this.world.nodes.get(uuid);
    if (node?.generation === member.generation && claim.incarnation > node.swim.self.claim.incarnation) {
      this.#fail(`${at.name} holds incarnation ${claim.incarnation} of ${uuid}, which it never had`);
    }
    if (claim.state !== 'dead' || claim.by !== at.name || node === undefined) return;
    if (!node.host.alive || node.generation !== member.generation) return;
    if (this.#isExplained(uuid) || this.#isExplained(at.name)) return;
    this.#fail(`${at.name} declares ${uuid} dead, which is well`);
  }

  /** Members that are well are accused only where messages get lost: not by a node that is slow or stood still. */
  #onAccused(at: GossipNode, accused: string): void {
    if (this.world.loss > 0 || !this.well.includes(accused)) return;
    if ((this.#owesUntilMs.get(accused) ?? 0) > this.world.nowMs) return;
    if (this.#isExplained(accused) || this.#isExplained(at.name)) return;
    const isCut = this.cutPair.includes(at.name) && this.cutPair.includes(accused);
    if (isCut && this.well.length < RELAYS + 2) return;
    this.#fail(`${at.name} accuses ${accused}, which is well, ${isCut ? 'and reached by others' : 'and answers'}`);
  }

  #fail(text: string): void {
    this.note(`BROKEN: ${text}`);
    if (this.broken.length < BROKEN_MAX) this.broken.push(text);
  }
}

const INCIDENT_KINDS: Readonly<Record<string, Incident>> = {
  crash: (run, name) => {
    const { world, random } = run;
    run.explain([name]);
    world.crash(name);
    const { generation } = world.node(name);
    run.later(random.pick([500, 5000, 30_000]), () => {
      run.explain([name]);
      world.start(name, random.pick(run.well));
      const isKnown = (other: string): boolean =>
        other === name || (world.node(other).swim.others.get(name)?.generation ?? 0) > generation;
      run.mustSpread(name, 'was started again', isKnown);
    });
  },
  'short-pause': (run, name) => {
    run.world.pause(name);
    run.later(run.random.between(100, SHORT_PAUSE_MS), () => run.recovers(name));
  },
  'long-pause': (run, name) => {
    run.explain([name]);
    run.world.pause(name);
    run.later(run.random.between(5000, 20_000), () => {
      run.explain([name]);
      run.recovers(name);
    });
  },
  slow: (run, name) => {
    run.world.node(name).slowness = 10;
    run.later(60_000, () => run.recovers(name));
  },
  /** Two nodes cannot reach each other: both reach everybody else, and nothing else happens meanwhile. */
  'pair-cut': (run, name) => {
    const { world, random } = run;
    const other = random.pick(run.well.filter((candidate) => candidate !== name));
    world.cut([name], [other], random.chance(0.5));
    run.cutPair = [name, other];
    world.run(world.nowMs + random.between(5000, 40_000));
    world.heal(name, other);
  },
  'cut-in-two': (run) => {
    const { world, random } = run;
    const names = [...world.nodes.keys()];
    const side = names.filter(() => random.chance(0.4));
    const rest = names.filter((name) => !side.includes(name));
    run.explain(names);
    world.cut(side, rest);
    run.later(random.between(2000, 30_000), () => {
      run.explain(names);
      world.heal();
    });
  },
  join: (run, contact) => {
    const { world } = run;
    const name = nameOf(world.nodes.size);
    world.start(name, contact);
    run.mustSpread(name, 'has joined', (other) => other === name || world.node(other).swim.others.has(name));
  },
  leave: (run, name) => {
    run.explain([name]);
    run.world.node(name).leave();
    run.world.crash(name);
  },
  epoch: (run, name) => {
    const { world } = run;
    const { swim, generation } = world.node(name);
    const { profile } = swim.self;
    const epoch = profile.epoch + 1;
    swim.describe({ ...profile, epoch }, true);
    const knows = (other: string): boolean => {
      const held = world.node(other).swim.others.get(name);
      return other === name || (held !== undefined && (held.generation > generation || held.profile.epoch >= epoch));
    };
    run.mustSpread(name, `knows epoch ${epoch}`, knows);
  },
};
