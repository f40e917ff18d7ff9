import type { SimCluster } from './sim-cluster.js';
import { DISK_BEHAVIOUR } from './sim-disk-image.js';
import type { SimWorld } from './sim-world.js';

/** What may happen to a cluster under load; a run uses some of them only, so that each gets its chance alone. */
const KINDS = [
  'power-loss',
  'kill',
  'all-lose-power',
  'machine-down',
  'pause',
  'cut',
  'one-way-cut',
  'reset',
  'slow-disk',
  'spikes',
] as const;
type FaultKind = (typeof KINDS)[number];

export interface FaultPlanOptions {
  /** False where a power cut may lose what was acknowledged. */
  readonly powerLoss: boolean;
  /** Mean time between two faults. */
  readonly intervalMs: number;
}

/** Faults at random moments, each healed by itself after a while (swarm testing: Groce and others, 2012). */
export class FaultPlan {
  readonly kinds: readonly FaultKind[];
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #options: FaultPlanOptions;
  #untilMs = 0;

  constructor(world: SimWorld, cluster: SimCluster, options: FaultPlanOptions) {
    this.#world = world;
    this.#cluster = cluster;
    this.#options = options;
    const { random } = world;
    const chosen = KINDS.filter((kind) => random.chance(0.5) && (options.powerLoss || !/power|down/.test(kind)));
    this.kinds = chosen.length === 0 ? ['kill'] : chosen;
  }

  run(untilMs: number): void {
    this.#untilMs = untilMs;
    this.#next();
  }

  /** Ends every fault: what was cut is healed, what was stopped runs. */
  heal(): void {
    const world = this.#world;
    world.heal();
    world.network.behaviour.spikeChance = 0;
    for (const name of this.#cluster.names) {
      Object.assign(world.disk(name).behaviour, DISK_BEHAVIOUR);
      if (world.isRunning(name)) world.resume(name);
      else this.#cluster.start([name]);
    }
  }

  #next(): void {
    const world = this.#world;
    const atMs = world.nowMs - Math.log(1 - world.random.unit()) * this.#options.intervalMs;
    if (atMs > this.#untilMs) return;
    world.at(atMs, () => {
      this.#strike(world.random.pick(this.kinds));
      this.#next();
    });
  }

  #strike(kind: FaultKind): void {
    const world = this.#world;
    const { random } = world;
    const { names } = this.#cluster;
    const victim = random.pick(names);
    const other = random.pick(names.filter((name) => name !== victim));
    const lengthMs = random.pick([50, 300, 1500, 3000]) * random.between(0.5, 1.5);
    switch (kind) {
      case 'power-loss':
        this.#crash(victim, lengthMs, { powerLoss: true });
        break;
      case 'kill':
        this.#crash(victim, lengthMs, { powerLoss: false });
        break;
      case 'machine-down':
        this.#crash(victim, lengthMs, { powerLoss: true, machineDown: true });
        break;
      case 'all-lose-power':
        for (const name of names) this.#crash(name, random.between(10, 400), { powerLoss: true });
        break;
      case 'pause':
        if (!world.isRunning(victim)) break;
        world.pause(victim);
        this.#later(lengthMs, () => {
          if (world.isRunning(victim)) world.resume(victim);
        });
        break;
      case 'cut':
      case 'one-way-cut':
        world.cut(victim, other, { oneWay: kind === 'one-way-cut' });
        this.#later(lengthMs, () => world.heal(victim, other));
        break;
      case 'reset':
        world.reset(victim, other);
        break;
      case 'slow-disk':
        Object.assign(world.disk(victim).behaviour, { slowChance: random.between(0.1, 0.9), slowMs: lengthMs / 5 });
        this.#later(lengthMs, () => Object.assign(world.disk(victim).behaviour, DISK_BEHAVIOUR));
        break;
      case 'spikes':
        world.network.behaviour.spikeChance = random.between(0.01, 0.2);
        world.network.behaviour.spikeMs = lengthMs / 10;
        this.#later(lengthMs, () => {
          world.network.behaviour.spikeChance = 0;
        });
        break;
    }
  }

  #crash(name: string, downMs: number, options: { powerLoss: boolean; machineDown?: boolean }): void {
    const world = this.#world;
    if (!world.isRunning(name)) return;
    this.#cluster.crash(name, options);
    this.#later(downMs, () => {
      if (!world.isRunning(name)) this.#cluster.start([name]);
    });
  }

  #later(delayMs: number, call: () => void): void {
    this.#world.at(this.#world.nowMs + delayMs, call);
  }
}
