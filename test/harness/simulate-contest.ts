import { withSetting } from '../../src/topology/epoch-change.js';
import { BrokenPromises } from './broken-promise.js';
import { EpochWatch } from './epoch-watch.js';
import { SimCluster } from './sim-cluster.js';
import { useFastCrypto } from './sim-crypto.js';
import type { SimRandom } from './sim-random.js';
import { SimWorld } from './sim-world.js';
import type { RunReport, SimulateOptions } from './simulate.js';

/** Named as a kind of load: `npm run sim -- --workload contest`. It is never drawn. */
export const CONTEST_WORKLOAD = 'contest';

const CONTEST_MS = 6000;
/** By then all nodes are in one epoch, once nobody proposes and everything has healed. */
const AGREE_MS = 30_000;
/** With a majority of the members up, a change is aborted by then. */
const ABORT_MS = 60_000;
const EPOCHS_MIN = 3;

/**
 * Nothing but epochs, under the heaviest fire: all nodes propose different values for the same epoch over and over, and lose
 * power and their connections meanwhile, on disks that take long to sync. An epoch has one value, and a node that was
 * in one is in no earlier one after a restart. In some runs more nodes ask to join than there are members, and die: the change
 * that was to admit them is aborted all the same.
 */
export function simulateContest({ seed }: SimulateOptions): RunReport {
  useFastCrypto();
  const world = new SimWorld(seed);
  const broken = new BrokenPromises(world);
  const contest = new Contest(world, broken);
  try {
    contest.execute();
  } catch (error) {
    broken.add(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return {
    seed,
    workload: CONTEST_WORKLOAD,
    broken: broken.texts,
    trace: [],
    virtualMs: world.nowMs,
    operations: contest.proposed,
    done: contest.epochs.highest,
    unknown: 0,
    faultKinds: [],
    faults: world.faults.toJSON(),
    activity: { epochs: contest.epochs.highest },
    hash: world.traceHash(),
  };
}

class Contest {
  proposed = 0;
  readonly epochs: EpochWatch;
  readonly #world: SimWorld;
  readonly #broken: BrokenPromises;
  readonly #cluster: SimCluster;
  readonly #random: SimRandom;
  /** The highest epoch that each node was in, over its restarts. */
  readonly #reached: Map<string, number> = new Map();
  readonly #founders: readonly string[];
  readonly #joiners: readonly string[];
  #syncMsMax = 0;

  constructor(world: SimWorld, broken: BrokenPromises) {
    this.#world = world;
    this.#broken = broken;
    this.#random = world.random.fork('contest');
    this.epochs = new EpochWatch(broken);
    const founders = this.#random.pick([3, 3, 5]);
    const joiners = this.#random.chance(0.3) ? founders + 1 : 0;
    this.#cluster = new SimCluster(world, {
      nodes: founders + joiners,
      founders,
      partitions: 4,
      onLine: (name, { event }) => {
        // The latter is what a start read from its disk.
        if (event === 'epoch' || event === 'cluster-ready') this.#onEpoch(name);
      },
    });
    this.#founders = this.#cluster.names.slice(0, founders);
    this.#joiners = this.#cluster.names.slice(founders);
  }

  execute(): void {
    const world = this.#world;
    const cluster = this.#cluster;
    cluster.start(this.#founders);
    cluster.awaitReady(this.#founders);
    if (this.#joiners.length > 0) this.#abortWithoutJoiners();
    const syncMsMax = this.#random.pick([20, 60, 120]);
    this.#syncMsMax = syncMsMax;
    for (const name of this.#founders) Object.assign(world.disk(name).behaviour, { syncMsMax });
    const untilMs = world.nowMs + CONTEST_MS;
    this.#again(untilMs, this.#random.pick([60, 150, 600]), () => this.#propose());
    this.#again(untilMs, this.#random.pick([80, 200, 500]), () => this.#strike());
    world.run(untilMs);
    world.heal();
    world.run(world.nowMs + 1000);
    for (const name of this.#founders) if (!world.isRunning(name)) cluster.start([name]);
    const agree = (): boolean => {
      const epochs = new Set(this.#founders.map((name) => cluster.node(name).topology?.epoch));
      return epochs.size === 1 && this.#founders.every((name) => cluster.node(name).epochs?.proposing === 0);
    };
    if (!world.runUntil(agree, world.nowMs + AGREE_MS)) this.#broken.add('the nodes do not agree on an epoch');
    for (const [name, error] of cluster.fatal) this.#broken.add(`${name} ended: ${error.stack ?? error.message}`);
    if (this.epochs.highest < EPOCHS_MIN) this.#broken.add(`only ${this.epochs.highest} epochs were decided`);
  }

  /** More nodes than there are members are to join, and die for good: the members alone decide. */
  #abortWithoutJoiners(): void {
    const world = this.#world;
    const cluster = this.#cluster;
    const first = this.#founders[0];
    const pending = (): boolean => cluster.node(first).topology?.pending !== undefined;
    cluster.start(this.#joiners);
    const begins = world.runUntil(pending, world.nowMs + ABORT_MS);
    for (const name of this.#joiners) if (world.isRunning(name)) cluster.crash(name);
    if (!begins) {
      this.#broken.add('no change begins');
      return;
    }
    const settled = (): boolean =>
      this.#founders.every((name) => {
        cluster.node(name).changes?.ask({ kind: 'abort' }, false);
        return cluster.node(name).topology?.pending === undefined;
      });
    if (!world.runUntil(settled, world.nowMs + ABORT_MS))
      this.#broken.add('a change whose joiners died is not aborted');
  }

  #again(untilMs: number, everyMs: number, act: () => void): void {
    const atMs = this.#world.nowMs - Math.log(1 - this.#random.unit()) * everyMs;
    if (atMs > untilMs) return;
    this.#world.at(atMs, () => {
      act();
      this.#again(untilMs, everyMs, act);
    });
  }

  /** Several nodes at once, each with a value of its own. */
  #propose(): void {
    for (const name of this.#founders) if (!this.#random.chance(0.4)) this.#proposeAt(name);
  }

  #proposeAt(name: string): void {
    if (!this.#world.isRunning(name)) return;
    const { epochs } = this.#cluster.node(name);
    if (epochs === undefined || epochs.proposing !== 0) return;
    epochs.propose(withSetting(epochs.current, 'contest', String(++this.proposed)));
  }

  #strike(): void {
    const world = this.#world;
    if (this.#random.chance(0.4)) {
      this.#ambush();
      return;
    }
    const victim = this.#random.pick(this.#founders);
    const other = this.#random.pick(this.#founders.filter((name) => name !== victim));
    if (this.#random.chance(0.4)) {
      world.cut(victim, other);
      world.at(world.nowMs + this.#random.between(10, 300), () => world.heal(victim, other));
      return;
    }
    if (!world.isRunning(victim)) return;
    this.#cluster.crash(victim, { powerLoss: true });
    world.at(world.nowMs + this.#random.between(5, 150), () => {
      if (!world.isRunning(victim)) this.#cluster.start([victim]);
    });
  }

  /**
   * A node proposes while it reaches one half of the others only. It loses power somewhere on the way, those that heard of
   * it perhaps too; then it, or the other half, proposes something else to whoever did not.
   */
  #ambush(): void {
    const world = this.#world;
    const random = this.#random;
    const proposer = random.pick(this.#founders);
    const others = this.#founders.filter((name) => name !== proposer);
    const first = random.pick(others);
    const [near, far] = others.reduce<[string[], string[]]>(
      ([one, two], name) =>
        name === first || one.length < others.length / 2 - 1 ? [[...one, name], two] : [one, [...two, name]],
      [[], []],
    );
    for (const name of far) world.cut(proposer, name);
    this.#proposeAt(proposer);
    const dies = [proposer, ...near.filter(() => random.chance(0.5))];
    world.at(world.nowMs + random.between(1, this.#syncMsMax * 2), () => {
      for (const name of dies) if (world.isRunning(name)) this.#cluster.crash(name, { powerLoss: true });
      const returnsCut = random.chance(0.5);
      for (const name of near) if (returnsCut) world.cut(proposer, name);
      for (const name of far) if (returnsCut) world.heal(proposer, name);
      for (const name of dies) {
        const isLate = name === proposer && !returnsCut;
        world.at(world.nowMs + (isLate ? random.between(300, 900) : random.between(1, 20)), () => {
          if (!world.isRunning(name)) this.#cluster.start([name]);
        });
      }
      for (let again = 1; again <= 24; again++) {
        world.at(world.nowMs + again * 30, () => this.#proposeAt(returnsCut ? proposer : random.pick(far)));
      }
      world.at(world.nowMs + 950, () => {
        for (const name of others) world.heal(proposer, name);
      });
    });
  }

  #onEpoch(name: string): void {
    if (!this.#world.isRunning(name)) return;
    const { topology } = this.#cluster.node(name);
    if (topology === undefined) return;
    this.epochs.onEpoch(this.#cluster, name);
    const reached = this.#reached.get(name) ?? 0;
    if (topology.epoch < reached) this.#broken.add(`${name} was in epoch ${reached} and is in ${topology.epoch} again`);
    this.#reached.set(name, Math.max(reached, topology.epoch));
  }
}
