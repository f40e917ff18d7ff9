import { DiskError } from '../../src/ports/disk.js';
import { StorageError } from '../../src/storage/storage-error.js';
import type { BitRot } from './bit-rot.js';
import type { Journal } from './journal.js';
import type { SimCluster } from './sim-cluster.js';
import type { SimDiskBehaviour } from './sim-disk-image.js';
import type { SimFault } from './sim-faults.js';
import type { SimRandom } from './sim-random.js';
import type { SimCrashOptions, SimWorld } from './sim-world.js';

export type FaultKind =
  | 'power-loss'
  | 'kill'
  | 'all-lose-power'
  | 'machine-down'
  | 'restart'
  | 'pause'
  | 'cut'
  | 'one-way-cut'
  | 'reset'
  | 'clog'
  | 'spikes'
  | 'slow-disk'
  | 'sync-error'
  | 'write-error'
  | 'disk-full'
  | 'clock-jump'
  | 'clock-drift'
  | 'bit-rot';

/**
 * What may happen to a cluster under load, and what shows that it bit: one of these counters rises. A run uses some of
 * the kinds only, so that each gets its chance alone (swarm testing: Groce and others, 2012). The network loses nothing
 * that a byte stream would not: a lost packet is a spike, and bytes are lost with their connection.
 */
export const FAULTS: Readonly<Record<FaultKind, readonly SimFault[]>> = {
  'power-loss': ['sector-lost', 'sector-torn'],
  kill: ['crash'],
  'all-lose-power': ['sector-lost', 'sector-torn'],
  'machine-down': ['half-open'],
  restart: ['orderly-stop'],
  pause: ['pause'],
  cut: ['bytes-held-by-cut'],
  'one-way-cut': ['bytes-held-by-cut'],
  reset: ['connection-reset', 'bytes-lost'],
  clog: ['bytes-clogged'],
  spikes: ['latency-spike'],
  'slow-disk': ['sync-slow'],
  'sync-error': ['sync-failed'],
  'write-error': ['write-failed'],
  'disk-full': ['disk-full'],
  'clock-jump': ['clock-jump'],
  'clock-drift': ['clock-drift'],
  'bit-rot': ['bit-flipped'],
};
/** Bits flip only in runs that ask for it: a disk that loses what was synced explains too much. */
const DRAWN = (Object.keys(FAULTS) as FaultKind[]).filter((kind) => kind !== 'bit-rot');

/** How fast a disk is stays with it; all else is a fault. */
const HEALTHY_DISK: Partial<SimDiskBehaviour> = {
  slowChance: 0,
  failSyncs: 0,
  failWrites: 0,
  capacityBytes: Number.POSITIVE_INFINITY,
};
const LENGTHS_MS = [50, 300, 1000, 2500];
const CLOCK_JUMPS_MS = [-86_400_000, -3_600_000, -5000, 5000, 3_600_000, 86_400_000];
/** A node that could not start is started again after this time. */
const START_AGAIN_MS = 200;
/** How often a power cut looks for something to lose. */
const DIRTY_TRIES = 100;

export interface FaultPlanOptions {
  /** False where a power cut may lose what was acknowledged. */
  readonly powerLoss: boolean;
  /** Mean time between two faults. */
  readonly intervalMs: number;
  /** Kinds of every run, and whether others are drawn beside them; undefined: all are drawn. */
  readonly kinds: { readonly always: readonly FaultKind[]; readonly others: boolean } | undefined;
  readonly bitRot: BitRot;
}

/** Faults at random moments, each healed by itself after a while. */
export class FaultPlan {
  readonly kinds: readonly FaultKind[];
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #options: FaultPlanOptions;
  readonly #journal: Journal;
  readonly #random: SimRandom;
  #untilMs = 0;

  constructor(world: SimWorld, cluster: SimCluster, options: FaultPlanOptions, journal: Journal) {
    this.#world = world;
    this.#cluster = cluster;
    this.#options = options;
    this.#journal = journal;
    this.#random = world.random.fork('faults');
    this.kinds = this.#choose();
  }

  /** A disk that fails to sync or to write ends its node. */
  static isExpectedEnd(error: Error): boolean {
    return (
      (error instanceof StorageError && error.code === 'io') || (error instanceof DiskError && error.kind === 'io')
    );
  }

  /** The same keeps it from starting, and so does a full disk. */
  static isExpectedRefusal(error: Error): boolean {
    if (error instanceof DiskError) return error.kind === 'io' || error.kind === 'full';
    return error instanceof StorageError && (error.code === 'io' || error.code === 'full');
  }

  /** Whether an answer may be late for no fault of the node that gives it. */
  get delaysAnswers(): boolean {
    return this.kinds.some((kind) => /cut|clog|spikes|pause|down|clock/.test(kind));
  }

  get movesClocks(): boolean {
    return this.kinds.some((kind) => kind === 'clock-jump' || kind === 'clock-drift');
  }

  run(untilMs: number): void {
    this.#untilMs = untilMs;
    this.#next();
  }

  #choose(): FaultKind[] {
    const random = this.#random;
    const { powerLoss, kinds } = this.#options;
    const allowed = (kind: FaultKind): boolean => powerLoss || !/power|down|error/.test(kind);
    const always = (kinds?.always ?? []).filter(allowed);
    if (kinds?.others === false) return always;
    const possible = DRAWN.filter((kind) => allowed(kind) && !always.includes(kind));
    const share = random.pick([0.15, 0.3, 0.5]);
    const chosen = possible.filter(() => random.chance(share));
    const all = [...always, ...chosen];
    return all.length === 0 ? [random.pick(possible)] : all;
  }

  /** Ends every fault: what was cut is healed, what was stopped runs. */
  heal(): void {
    const world = this.#world;
    this.#journal.note(undefined, () => 'everything heals');
    world.heal();
    Object.assign(world.network.behaviour, { spikeChance: 0, resetChance: 0 });
    for (const name of this.#cluster.names) {
      Object.assign(world.disk(name).behaviour, HEALTHY_DISK);
      world.clock(name).setRate(1);
      if (world.isRunning(name)) world.resume(name);
      else this.#cluster.start([name]);
    }
  }

  #next(): void {
    const world = this.#world;
    const atMs = world.nowMs - Math.log(1 - this.#random.unit()) * this.#options.intervalMs;
    if (atMs > this.#untilMs) return;
    world.at(atMs, () => {
      this.#strike(this.#random.pick(this.kinds));
      this.#next();
    });
  }

  #strike(kind: FaultKind): void {
    const world = this.#world;
    const random = this.#random;
    const { names } = this.#cluster;
    const victim = random.pick(names);
    const other = random.pick(names.filter((name) => name !== victim));
    const lengthMs = random.pick(LENGTHS_MS) * random.between(0.5, 1.5);
    this.#journal.note(undefined, () => `fault: ${kind} at ${victim} (${other}) for ${lengthMs.toFixed(0)} ms`);
    switch (kind) {
      case 'power-loss':
        this.#whenDirty(victim, DIRTY_TRIES, () => this.#crash(victim, lengthMs, { powerLoss: true }));
        break;
      case 'kill':
        this.#crash(victim, lengthMs, { powerLoss: false });
        break;
      case 'machine-down':
        this.#whenDirty(victim, DIRTY_TRIES, () => {
          this.#crash(victim, lengthMs, { powerLoss: true, machineDown: true });
        });
        break;
      case 'all-lose-power':
        this.#whenDirty(victim, DIRTY_TRIES, () => {
          for (const name of names) this.#crash(name, random.between(10, 400), { powerLoss: true });
        });
        break;
      case 'restart':
        this.#restart(victim, lengthMs / 10);
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
      case 'clog':
        world.network.link(victim, other).clog(random.pick([2, 20, 200]));
        this.#later(lengthMs, () => world.heal(victim, other));
        break;
      case 'spikes':
        Object.assign(world.network.behaviour, { spikeChance: random.between(0.01, 0.2), spikeMs: lengthMs / 10 });
        this.#later(lengthMs, () => Object.assign(world.network.behaviour, { spikeChance: 0 }));
        break;
      case 'slow-disk':
        this.#disk(victim, lengthMs, { slowChance: random.between(0.1, 0.9), slowMs: lengthMs / 5 });
        break;
      case 'sync-error':
        this.#disk(victim, lengthMs, { failSyncs: 1 });
        break;
      case 'write-error':
        this.#disk(victim, lengthMs, { failWrites: 1 });
        break;
      case 'disk-full':
        this.#disk(victim, lengthMs, { capacityBytes: world.disk(victim).usedBytes() + random.below(65_536) });
        break;
      case 'clock-jump':
        world.jumpWallClock(victim, random.pick(CLOCK_JUMPS_MS));
        break;
      case 'clock-drift':
        world.setClockRate(victim, random.pick([0.9, 0.999, 1.001, 1.1]));
        break;
      case 'bit-rot':
        this.#options.bitRot.strike();
        break;
    }
  }

  /** What a disk does for a while. A node that ends of it is started again when it is over. */
  #disk(name: string, lengthMs: number, behaviour: Partial<SimDiskBehaviour>): void {
    const world = this.#world;
    Object.assign(world.disk(name).behaviour, behaviour);
    this.#later(lengthMs, () => {
      Object.assign(world.disk(name).behaviour, HEALTHY_DISK);
      this.#start(name);
    });
  }

  #crash(name: string, downMs: number, options: SimCrashOptions): void {
    if (!this.#world.isRunning(name)) return;
    this.#cluster.crash(name, options);
    this.#later(downMs, () => this.#start(name));
  }

  /** A power cut at a random moment finds most disks in order: it waits for a moment at which something can be lost. */
  #whenDirty(name: string, tries: number, call: () => void): void {
    if (tries === 0 || this.#world.disk(name).isDirty) call();
    else this.#later(this.#random.between(0, 2), () => this.#whenDirty(name, tries - 1, call));
  }

  /** Ends a node in order, as SIGTERM does. */
  #restart(name: string, downMs: number): void {
    const world = this.#world;
    if (!world.isRunning(name)) return;
    const node = this.#cluster.node(name);
    node.drain((error) => {
      if (error !== undefined && !FaultPlan.isExpectedRefusal(error)) throw error;
      if (this.#cluster.node(name) !== node || !world.isRunning(name)) return;
      world.faults.bump('orderly-stop');
      this.#cluster.stop(name);
      this.#later(downMs, () => this.#start(name));
    });
  }

  #start(name: string): void {
    if (this.#world.isRunning(name)) return;
    const error = this.#cluster.tryStart(name);
    if (error === undefined) return;
    this.#journal.note(undefined, () => `${name} cannot start: ${error.message}`);
    this.#later(START_AGAIN_MS, () => this.#start(name));
  }

  #later(delayMs: number, call: () => void): void {
    this.#world.at(this.#world.nowMs + delayMs, call);
  }
}
