import type { Clock } from '../../src/ports/clock.js';
import type { Disk } from '../../src/ports/disk.js';
import type { Random } from '../../src/ports/random.js';
import type { Timers } from '../../src/ports/timers.js';
import type { Transport } from '../../src/ports/transport.js';
import { SimClock } from './sim-clock.js';
import { SimDisk } from './sim-disk.js';
import { SimDiskImage } from './sim-disk-image.js';
import { SIM_EVENT, SimCall } from './sim-event.js';
import { SimFaultCounters } from './sim-faults.js';
import { SimHost } from './sim-host.js';
import { SimNetwork } from './sim-network.js';
import { SimRandom } from './sim-random.js';
import { SimScheduler } from './sim-scheduler.js';
import { RecordingTelemetry } from './sim-telemetry.js';
import { SimTimers } from './sim-timers.js';
import { SimTrace } from './sim-trace.js';
import { SimTransport } from './sim-transport.js';

/** Turns of the microtask queue that bring a settled promise through an async function to whoever waits for it. */
const PROMISE_HOPS = 6;

/** What `createNode` needs of the world. */
export interface SimPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly disk: Disk;
  readonly transport: Transport;
  readonly telemetry: RecordingTelemetry;
}

export interface SimCrashOptions {
  /** True (default): what the disk had not synced is lost at random. False: only the process dies, as by kill -9. */
  readonly powerLoss?: boolean;
  /** True: the machine vanishes, and peers hear nothing until the node is started again. False (default): connections break. */
  readonly machineDown?: boolean;
}

/**
 * A set of machines, their disks and the network between them, on virtual time. All that happens follows from the
 * seed; nothing reads a real clock.
 *
 * ```ts
 * const world = new SimWorld(42);
 * const node = createNode({ ...world.createPorts('n1'), config });
 * world.cut('n1', 'n2', { oneWay: true });
 * world.run(world.nowMs + 5_000);
 * world.crash('n1');
 * ```
 */
export class SimWorld {
  readonly seed: number;
  /** What bit so far. */
  readonly faults: SimFaultCounters = new SimFaultCounters();
  /** For decisions of the test itself: which fault comes when. */
  readonly random: SimRandom;
  readonly network: SimNetwork;
  /** Raised while code runs that goes on from promise to promise, so that `play` follows all of it. */
  chains = 0;
  readonly #trace: SimTrace = new SimTrace();
  readonly #scheduler: SimScheduler = new SimScheduler(this.#trace);
  readonly #root: SimRandom;
  readonly #hosts: Map<string, SimHost> = new Map();
  readonly #disks: Map<string, SimDiskImage> = new Map();
  readonly #clocks: Map<string, SimClock> = new Map();
  #hostsMade = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.#root = new SimRandom(seed);
    this.random = this.#root.fork('world');
    this.network = new SimNetwork(this.#scheduler, this.#trace, this.#root.fork('network'), this.faults);
  }

  get nowMs(): number {
    return this.#scheduler.nowMs;
  }

  get eventsRun(): number {
    return this.#scheduler.eventsRun;
  }

  /**
   * Starts a process on the machine `name`; its disk is the one that earlier processes of that name left. `awaits`: its
   * code uses promises, and `play` follows them.
   */
  createPorts(name: string, awaits = false): SimPorts {
    if (this.#hosts.get(name)?.alive) throw new Error(`${name} runs already: crash or stop it first`);
    const host = new SimHost(name, ++this.#hostsMade);
    host.awaits = awaits;
    this.#hosts.set(name, host);
    this.network.started(name);
    const random = this.#root.fork(`${name}/${host.number}`);
    const clock = this.clock(name);
    const telemetry = new RecordingTelemetry(clock);
    return {
      clock,
      timers: new SimTimers(this.#scheduler, host, clock),
      random: random.fork('random'),
      disk: new SimDisk({
        scheduler: this.#scheduler,
        trace: this.#trace,
        random: random.fork('disk'),
        faults: this.faults,
        host,
        image: this.disk(name),
      }),
      transport: new SimTransport(this.network, host),
      telemetry,
    };
  }

  isRunning(name: string): boolean {
    return this.#hosts.get(name)?.alive ?? false;
  }

  /** Ends a process at once: its timers, callbacks and connections are gone, its disk lock is free. */
  crash(name: string, options: SimCrashOptions = {}): void {
    const host = this.#running(name);
    this.faults.bump('crash');
    this.#end(host, options.machineDown ?? false);
    if (options.powerLoss ?? true) this.disk(name).losePower();
  }

  /** Ends a process that has shut down by itself. */
  stop(name: string): void {
    this.#end(this.#running(name), false);
  }

  /** Stops a process as SIGSTOP does: nothing that concerns it happens until `resume`. */
  pause(name: string): void {
    this.faults.bump('pause');
    this.#running(name).paused = true;
  }

  resume(name: string): void {
    this.#scheduler.resume(this.#running(name));
  }

  /** Cuts the link between two nodes: bytes wait until it heals or the connection times out. */
  cut(one: string, other: string, options: { readonly oneWay?: boolean } = {}): void {
    this.network.link(one, other).cut();
    if (options.oneWay !== true) this.network.link(other, one).cut();
  }

  /** Heals every link, or the one between two nodes. */
  heal(one?: string, other?: string): void {
    if (one === undefined || other === undefined) {
      this.network.heal();
      return;
    }
    this.network.healLink(this.network.link(one, other));
    this.network.healLink(this.network.link(other, one));
  }

  /** Breaks every connection between two nodes. */
  reset(one: string, other: string): void {
    this.network.resetBetween(one, other);
    this.network.resetBetween(other, one);
  }

  /** The disk of a node, running or not: its behaviour and its faults. */
  disk(name: string): SimDiskImage {
    let disk = this.#disks.get(name);
    if (disk === undefined) {
      disk = new SimDiskImage(this.#root.fork(`${name}/image`), this.faults);
      this.#disks.set(name, disk);
    }
    return disk;
  }

  /** The clock of a node's machine. */
  clock(name: string): SimClock {
    let clock = this.#clocks.get(name);
    if (clock === undefined) {
      clock = new SimClock(this.#scheduler, this.#root.fork(`${name}/clock`).below(1_000_000));
      this.#clocks.set(name, clock);
    }
    return clock;
  }

  jumpWallClock(name: string, byMs: number): void {
    this.faults.bump('clock-jump');
    this.clock(name).jumpWall(byMs);
  }

  setClockRate(name: string, rate: number): void {
    this.faults.bump('clock-drift');
    this.clock(name).setRate(rate);
  }

  /** Calls `call` at a moment of the world, whatever lives then. */
  at(atMs: number, call: () => void): void {
    this.#scheduler.schedule(new SimCall(undefined, SIM_EVENT.world, call), atMs);
  }

  /** Runs all that happens up to `untilMs`, which is then the time. */
  run(untilMs: number): void {
    while (this.#scheduler.step(untilMs));
    if (untilMs > this.#scheduler.nowMs) this.#scheduler.nowMs = untilMs;
  }

  /**
   * As `run`, for worlds in which some code uses promises: after each event that may have settled one, all that follows
   * from it happens before the next event.
   */
  async play(untilMs: number): Promise<void> {
    const scheduler = this.#scheduler;
    while (scheduler.step(untilMs)) {
      const host = scheduler.lastHost;
      if (host !== undefined && !host.awaits) continue;
      if (this.chains > 0) await turn();
      else for (let hop = 0; hop < PROMISE_HOPS; hop++) await undefined;
    }
    if (untilMs > scheduler.nowMs) scheduler.nowMs = untilMs;
  }

  /** Runs until `predicate` holds after an event (true), or until `deadlineMs` (false). */
  runUntil(predicate: () => boolean, deadlineMs: number): boolean {
    for (;;) {
      if (predicate()) return true;
      if (!this.#scheduler.step(deadlineMs)) break;
    }
    if (deadlineMs > this.#scheduler.nowMs) this.#scheduler.nowMs = deadlineMs;
    return predicate();
  }

  /**
   * Runs until a promise settles and returns what it brought, for code that awaits. All promises that an event
   * settles are followed to their end before the next event. Throws when `deadlineMs` passes.
   */
  async settle<T>(promise: Promise<T>, deadlineMs: number): Promise<T> {
    let settled = false;
    const watched = promise.finally(() => {
      settled = true;
    });
    watched.catch(() => {});
    await turn();
    while (!settled && this.#scheduler.step(deadlineMs)) await turn();
    if (!settled) throw new Error(`not settled by ${deadlineMs} ms of the world`);
    return watched;
  }

  /** Equal for two runs exactly when they did the same. */
  traceHash(): string {
    return this.#trace.digest();
  }

  #running(name: string): SimHost {
    const host = this.#hosts.get(name);
    if (host === undefined || !host.alive) throw new Error(`${name} does not run`);
    return host;
  }

  #end(host: SimHost, machineDown: boolean): void {
    host.alive = false;
    this.network.died(host, machineDown);
    this.#scheduler.abandon(host);
  }
}

/** Lets every promise that can go on do so. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
