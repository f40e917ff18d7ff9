import { MemDbError } from '@memdb/protocol';
import { withSetting } from '../../src/topology/epoch-change.js';
import { LEVEL } from './bare-client.js';
import { runIncidents } from './run-incidents.js';
import { SimCluster } from './sim-cluster.js';
import { useFastCrypto } from './sim-crypto.js';
import type { SimRandom } from './sim-random.js';
import { SimSession } from './sim-session.js';
import { SimWorld } from './sim-world.js';
import type { RunReport, SimulateOptions } from './simulate.js';

/** Named as a kind of load: `npm run sim -- --workload starts`. It is never drawn. */
export const STARTS_WORKLOAD = 'starts';

const INCIDENTS = 6;
/** A machine on which copies of the directories of others are started. */
const SPARE = 'spare';
/** Who starts in order serves by then, when a majority is there. */
const SERVES_MS = 15_000;
/** And who is refused ends. */
const REFUSED_MS = 10_000;
/** What a node said last of its log has reached somebody. */
const TOLD_MS = 3000;
/** A peer that says nothing is not counted on after this time, and a little for the way. */
const SILENT_MS = 1420;

type Incident = (run: Run, name: string) => void;

/**
 * Nodes that start: in order, elsewhere, all at once with no seed alive, from a directory that was put back, or as a copy of
 * one that runs. Who is itself serves soon; who is not never serves, and ends; nobody else notices.
 */
export function simulateStarts(options: SimulateOptions): RunReport {
  useFastCrypto();
  return runIncidents(options, STARTS_WORKLOAD, INCIDENTS, new Run(options.seed));
}

class Run {
  readonly world: SimWorld;
  readonly cluster: SimCluster;
  readonly random: SimRandom;
  readonly names: readonly string[];
  readonly broken: string[] = [];
  readonly lines: string[] = [];
  /** How often each incident happened. */
  readonly counted: Record<string, number> = {};
  /** Where each node was started last. */
  readonly #hosts: Map<string, string> = new Map();
  #moves = 0;
  #writes = 0;

  constructor(seed: number) {
    const world = new SimWorld(seed);
    this.world = world;
    this.random = world.random.fork('incidents');
    const nodes = this.random.pick([3, 3, 4, 5]);
    this.cluster = new SimCluster(world, {
      nodes,
      onLine: (name, { level, event, fields }) => {
        if (level !== 'debug') this.#note(`${name} logs ${event} ${JSON.stringify(fields)}`);
      },
    });
    this.names = this.cluster.names;
    this.cluster.start();
    this.cluster.awaitReady();
  }

  execute(): void {
    for (let count = 0; count < INCIDENTS; count++) {
      const kind = this.random.pick(Object.keys(INCIDENT_KINDS));
      const name = this.random.pick(this.names);
      this.counted[kind] = (this.counted[kind] ?? 0) + 1;
      this.#note(`${kind} at ${name}`);
      INCIDENT_KINDS[kind](this, name);
      this.#allServe(kind);
    }
  }

  hostOf(name: string): string {
    return this.#hosts.get(name) ?? name;
  }

  others(name: string): string[] {
    return this.names.filter((other) => other !== name);
  }

  crash(name: string): void {
    const powerLoss = this.random.chance(0.3);
    this.cluster.crash(name, { powerLoss, machineDown: this.random.chance(0.3) });
  }

  start(name: string, host: string = this.hostOf(name), advertised?: string): void {
    this.cluster.start([name], host, advertised);
    if (name !== SPARE && advertised === undefined) this.#hosts.set(name, host);
  }

  move(name: string): void {
    this.start(name, `${name}-${++this.#moves}`);
  }

  wait(ms: number): void {
    this.world.run(this.world.nowMs + ms);
  }

  /** Fills the logs with something, and waits until others know of that. */
  write(count: number): void {
    // A client of its own each time: an older one may wait for a machine that vanished.
    const session = new SimSession(this.cluster, `client-${this.#writes}`);
    for (let index = 0; index < count; index++) {
      const host = this.hostOf(this.random.pick(this.names));
      session.set(host, `key-${this.#writes++ % 20}`, 'x'.repeat(50), LEVEL.quorum);
    }
    this.wait(TOLD_MS);
  }

  isServing(name: string): boolean {
    return this.world.isRunning(name) && this.cluster.node(name).ready() === undefined;
  }

  /** Waits for the end of a node that is not what it says to be. */
  mustBeRefused(name: string, what: string): void {
    let served = false;
    let isCountedOn = false;
    const { cluster, world } = this;
    world.runUntil(() => {
      served ||= this.isServing(name);
      isCountedOn ||= this.#countsOn(name);
      return served || cluster.fatal.has(name);
    }, world.nowMs + REFUSED_MS);
    if (isCountedOn) this.fail(`${what} is counted on as ${name}`);
    if (served) this.fail(`${what} serves as ${name}`);
    else if (!this.takeRefusal(name)) this.fail(`${what} is not refused as ${name}`);
    if (world.isRunning(name)) cluster.crash(name, { powerLoss: false });
  }

  /** Whether anybody else reaches this very start for data. */
  #countsOn(name: string): boolean {
    const start = this.cluster.node(name).membership?.swim.self;
    return this.names.some((at) => {
      if (at === name || !this.world.isRunning(at)) return false;
      const { membership } = this.cluster.node(at);
      const link = membership?.links.find(
        (each) => each?.peer !== undefined && each.peer.bootNonce === start?.bootNonce,
      );
      return link !== undefined && membership?.reachable(link.number) === true;
    });
  }

  /** Whether the node ended because it was refused. */
  takeRefusal(name: string): boolean {
    const error = this.cluster.fatal.get(name);
    if (!(error instanceof MemDbError)) return false;
    this.cluster.fatal.delete(name);
    return error.code === 'duplicate-node';
  }

  fail(text: string): void {
    this.#note(`BROKEN: ${text}`);
    this.broken.push(text);
  }

  #allServe(kind: string): void {
    const { cluster, world, names } = this;
    const isMet = (): boolean =>
      names.every((name) => {
        if (!this.isServing(name)) return false;
        const { membership } = cluster.node(name);
        return names.every((other) => membership?.reachable(cluster.node(other).number) === true);
      });
    if (!world.runUntil(isMet, world.nowMs + SERVES_MS)) this.fail(`not all serve after ${kind}`);
    for (const [name, error] of cluster.fatal) this.fail(`${name} ended after ${kind}: ${error.message}`);
    if (this.broken.length > 0) throw new Error('what follows says nothing any more');
  }

  #note(text: string): void {
    this.lines.push(`${this.world.nowMs.toFixed(1)} ${text}`);
  }
}

const INCIDENT_KINDS: Readonly<Record<string, Incident>> = {
  restart: (run, name) => {
    run.crash(name);
    run.wait(run.random.pick([10, 300, 3000, 60_000]));
    run.start(name);
  },
  move: (run, name) => {
    run.crash(name);
    run.wait(run.random.pick([10, 3000]));
    run.move(name);
  },
  /** All but one move at the same time. */
  'all-move': (run, name) => {
    for (const other of run.names) run.crash(other);
    run.start(name);
    for (const other of run.others(name)) run.move(other);
  },
  /** None of them may be at a seed any more: what each kept of the others is all there is. */
  'all-restart': (run) => {
    for (const name of run.names) {
      run.crash(name);
      run.move(name);
      run.cluster.awaitReady();
    }
    run.write(1);
    for (const name of run.names) run.crash(name);
    run.wait(run.random.below(1000));
    for (const name of run.names) run.start(name);
  },
  /** A directory from before, put back after a crash; then the right one again. */
  'put-back': (run, name) => {
    const { cluster, world } = run;
    const old = world.disk(name).backup();
    run.write(8 + run.random.below(20));
    cluster.crash(name, { powerLoss: false });
    const last = world.disk(name).backup();
    world.disk(name).restore(old);
    run.start(name);
    run.mustBeRefused(name, 'an old directory');
    world.disk(name).restore(last);
    run.start(name);
  },
  'copy-beside': (run, name) => {
    const { world } = run;
    world.disk(SPARE).restore(world.disk(name).backup());
    run.start(SPARE, SPARE);
    run.mustBeRefused(SPARE, `a copy of ${name}`);
  },
  /** Two copies, as the same start: at most one of them is the node. */
  twins: (run, name) => {
    const { cluster, world, random } = run;
    cluster.crash(name, { powerLoss: false });
    const last = world.disk(name).backup();
    world.disk(SPARE).restore(last);
    run.start(SPARE, SPARE);
    run.wait(random.below(2000));
    run.start(name);
    const both = (): boolean => run.isServing(SPARE) && run.isServing(name);
    if (world.runUntil(both, world.nowMs + REFUSED_MS)) run.fail(`two copies serve as ${name}`);
    const isSpareLeft = run.isServing(SPARE);
    const refused = [SPARE, name].filter((each) => run.takeRefusal(each)).length;
    if (refused === 0) run.fail('neither of two copies is refused');
    for (const each of [SPARE, name]) if (world.isRunning(each)) cluster.crash(each, { powerLoss: false });
    if (isSpareLeft) world.disk(name).restore(world.disk(SPARE).backup());
    run.start(name);
  },
  /** A copy took the place of a node and is gone; what it answered for stands in its directory alone. */
  heir: (run, name) => {
    const { cluster, world } = run;
    cluster.crash(name, { powerLoss: false });
    world.disk(SPARE).restore(world.disk(name).backup());
    run.start(SPARE, SPARE);
    if (!world.runUntil(() => run.isServing(SPARE), world.nowMs + SERVES_MS)) run.fail('nobody takes the place');
    run.wait(TOLD_MS);
    cluster.crash(SPARE, { powerLoss: false });
    run.start(name);
    run.mustBeRefused(name, 'the directory that a copy went on from');
    world.disk(name).restore(world.disk(SPARE).backup());
    run.start(name);
  },
  /** A node stands still; a copy of it takes its place; then it goes on. */
  ghost: (run, name) => {
    const { cluster, world } = run;
    world.pause(name);
    run.wait(4000);
    world.disk(SPARE).restore(world.disk(name).backup());
    run.start(SPARE, SPARE);
    if (!world.runUntil(() => run.isServing(SPARE), world.nowMs + SERVES_MS)) run.fail('nobody takes the place');
    world.resume(name);
    world.runUntil(() => cluster.fatal.has(name), world.nowMs + REFUSED_MS);
    if (!run.takeRefusal(name)) run.fail(`${name} goes on beside the one that took its place`);
    for (const each of [SPARE, name]) if (world.isRunning(each)) cluster.crash(each, { powerLoss: false });
    world.disk(name).restore(world.disk(SPARE).backup());
    run.start(name);
  },
  'same-address': (run, name) => {
    run.crash(name);
    run.wait(1000);
    run.start(name, run.hostOf(name), run.hostOf(run.random.pick(run.others(name))));
    run.mustBeRefused(name, 'a node at the address of another one');
    run.start(name);
  },
  'epoch-missed': (run, name) => {
    const { cluster, world } = run;
    run.crash(name);
    const [at] = run.others(name);
    const { epochs } = cluster.node(at);
    if (epochs === undefined) throw new Error(`${at} is in no cluster`);
    const next = epochs.current.epoch + 1;
    epochs.propose(withSetting(epochs.current, 'test', String(next)));
    if (!world.runUntil(() => epochs.current.epoch >= next, world.nowMs + 20_000)) run.fail(`no epoch ${next}`);
    run.start(name);
    const knows = (): boolean => (cluster.node(name).topology?.epoch ?? 0) >= next;
    if (!world.runUntil(knows, world.nowMs + SERVES_MS)) run.fail(`${name} does not learn of epoch ${next}`);
  },
  cut: (run, name) => {
    const { cluster, world, random } = run;
    for (const other of run.others(name)) world.cut(run.hostOf(name), run.hostOf(other));
    run.wait(random.pick([1000, 8000, 60_000]));
    world.heal();
    const isAlive = (): boolean =>
      run.names.every(
        (at) =>
          cluster
            .node(at)
            .membership?.view()
            .every(({ state }) => state === 'alive') === true,
      );
    if (!world.runUntil(isAlive, world.nowMs + 60_000)) run.fail('not all are held to be alive after a cut');
  },
  vanish: (run, name) => {
    const { cluster, world } = run;
    run.wait(2000);
    cluster.crash(name, { powerLoss: false, machineDown: true });
    const { number } = cluster.node(name);
    const isLost = (): boolean => run.others(name).every((at) => !cluster.node(at).membership?.reachable(number));
    if (!world.runUntil(isLost, world.nowMs + SILENT_MS)) run.fail(`${name} is counted on after it vanished`);
    run.start(name);
  },
};
