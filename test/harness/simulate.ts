import { Activity } from './activity.js';
import { BitRot } from './bit-rot.js';
import { BrokenPromises } from './broken-promise.js';
import { checkExpiry } from './check-expiry.js';
import { checkHistory, checkStamps } from './check-history.js';
import { checkRegular } from './check-regular.js';
import { checkScans } from './check-scans.js';
import { checkConverged, checkCursors, checkLogs, isConverged } from './check-state.js';
import { CounterLoad } from './counter-load.js';
import { EpochWatch } from './epoch-watch.js';
import { FaultPlan } from './fault-plan.js';
import { readAll, readSerial } from './final-read.js';
import { FloorWatch } from './floor-watch.js';
import { Journal } from './journal.js';
import { Mover } from './mover.js';
import { Operator } from './operator.js';
import { MUST_RISE, PROFILES, profileNameOf } from './profiles.js';
import { RecoveryWatch } from './recovery-watch.js';
import { checkSerial } from './serial-history.js';
import { SimCluster } from './sim-cluster.js';
import { useFastCrypto } from './sim-crypto.js';
import { SimWorld } from './sim-world.js';
import { CONTEST_WORKLOAD, simulateContest } from './simulate-contest.js';
import { GOSSIP_WORKLOAD, simulateGossip } from './simulate-gossip.js';
import { STARTS_WORKLOAD, simulateStarts } from './simulate-starts.js';
import { busyShare, Workload } from './workload.js';

/** Load goes on for a while after everything has healed: a run under the heaviest fire does its share too. */
const CALM_MS = 1000;
/** So often again, until the run has done enough to count. */
const CALM_MORE_MAX = 5;
/** A request is answered at its deadline of 1 s, and the sweep that finds it due comes soon after. */
const SETTLE_MS = 4000;
/** By then every peer must have been sent what it missed. */
const CATCH_UP_MS = 20_000;
/** And by then every replica must hold the same, looked at in steps. */
const CONVERGE_MS = 30_000;
const STEP_MS = 250;
/** How often in a run the cursors are compared with what the peers hold. */
const CURSOR_CHECKS = 3;
/** By then a change that was begun must have come to its end. */
const MOVED_MS = 60_000;
/** The scrub has gone over everything by then, and what was lost has come back from others. */
const ROT_HEALED_MS = 60_000;
/** Sweeps of deadlines, latency, and a callback that had to wait its turn. */
const LATE_MS_MAX = 300;
/** A run that did less than this has shown nothing (testing: Simulation). */
const DONE_MIN = 300;
const UNKNOWN_SHARE_MAX = 0.2;
const KEY_BYTES_MAX = 4096;

export interface SimulateOptions {
  readonly seed: number;
  /** Name of a profile; drawn from the seed when there is none. */
  readonly workload?: string | undefined;
  /** Virtual minutes of load. */
  readonly minutes?: number | undefined;
  /** Keeps what happens, in words: all of it, or what was around the first broken promise. */
  readonly trace?: 'all' | 'around' | undefined;
}

/** What became of one run. */
export interface RunReport {
  readonly seed: number;
  readonly workload: string;
  /** Promises that did not hold, as sentences. */
  readonly broken: readonly string[];
  /** With `trace`: what happened around the first of them, or all of it. */
  readonly trace: readonly string[];
  readonly virtualMs: number;
  readonly operations: number;
  /** Operations that succeeded. */
  readonly done: number;
  /** Writes whose outcome was unknown. */
  readonly unknown: number;
  readonly faultKinds: readonly string[];
  readonly faults: Readonly<Record<string, number>>;
  /** What a load of this kind must bring about now and then, as counted by the nodes. */
  readonly activity: Readonly<Record<string, number>>;
  /** Equal for two runs exactly when they did the same. */
  readonly hash: string;
}

/**
 * A random workload of real nodes and real clients under random faults, all from one seed; then everything heals, and
 * what the clients saw and what the nodes hold is judged. An exception in a node is a broken promise too.
 */
export async function simulate(options: SimulateOptions): Promise<RunReport> {
  if (options.workload === GOSSIP_WORKLOAD) return simulateGossip(options);
  if (options.workload === CONTEST_WORKLOAD) return simulateContest(options);
  if (options.workload === STARTS_WORKLOAD) return simulateStarts(options);
  useFastCrypto();
  const world = new SimWorld(options.seed);
  const broken = new BrokenPromises(world);
  const journal = new Journal(world, options.trace !== undefined);
  const workload = profileNameOf(options.workload, world.random);
  const run = new Run(world, workload, options, broken, journal);
  try {
    await run.execute();
  } catch (error) {
    broken.add(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const { load } = run;
  const unknown = load.history.writes.filter(({ outcome }) => outcome === 'unknown').length;
  if (broken.count === 0) checkShare(load, unknown, broken);
  return {
    seed: options.seed,
    workload,
    broken: broken.texts,
    trace: traceOf(journal, broken, options),
    virtualMs: world.nowMs,
    operations: load.begun,
    done: load.done,
    unknown,
    faultKinds: run.faults.kinds,
    faults: world.faults.toJSON(),
    activity: run.activity(),
    hash: world.traceHash(),
  };
}

function traceOf(journal: Journal, broken: BrokenPromises, { trace }: SimulateOptions): string[] {
  if (trace === 'all') return journal.printAll();
  const first = broken.all[0];
  return trace === undefined || first === undefined ? [] : journal.print(first.key, first.atMs);
}

function checkShare(load: Workload, unknown: number, broken: BrokenPromises): void {
  if (load.done < DONE_MIN) broken.add(`only ${load.done} operations succeeded`);
  const share = unknown / Math.max(1, load.begun);
  if (share > UNKNOWN_SHARE_MAX) {
    broken.add(`${(share * 100).toFixed(0)} % of ${load.begun} operations have an unknown outcome`);
  }
}

class Run {
  readonly load: Workload;
  readonly #counters: CounterLoad;
  readonly faults: FaultPlan;
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #broken: BrokenPromises;
  readonly #keys: readonly string[];
  readonly #loadMs: number;
  readonly #floors: FloorWatch;
  readonly #activity: Activity;
  readonly #evicts: boolean;
  /** Power cuts may lose what was acknowledged and not yet synced. */
  readonly #forgets: boolean;
  /** Nothing acknowledged may be lost by a power cut: not so in mode `interval`, which has none then. */
  readonly #lasting: boolean;
  readonly #operator: Operator | undefined;
  readonly #mover: Mover | undefined;

  constructor(world: SimWorld, workload: string, options: SimulateOptions, broken: BrokenPromises, journal: Journal) {
    const { random } = world;
    const maker = PROFILES[workload];
    if (maker === undefined) throw new Error(`no workload ${workload}: ${Object.keys(PROFILES).join(', ')}`);
    const profile = maker(random);
    this.#world = world;
    this.#broken = broken;
    this.#forgets = profile.forgets;
    this.#lasting = !random.chance(0.15) && !this.#forgets;
    this.#loadMs = options.minutes === undefined ? profile.loadMs : options.minutes * 60_000;
    this.#keys = keysOf(profile.keys, profile.keyBytes);
    this.#evicts = profile.eviction === 'lru';
    this.#activity = new Activity(MUST_RISE[workload] ?? []);
    const watch = new RecoveryWatch(this.#keys, this.#forgets, broken);
    const epochs = new EpochWatch(broken);
    const { nodes, spares, valueBytesMax, segmentBytes, partitions, compression } = profile;
    const { memoryBytesMax, entriesMax, eviction } = profile;
    this.#cluster = new SimCluster(world, {
      nodes: nodes + spares,
      founders: nodes,
      durability: this.#lasting ? 'sync' : 'interval',
      segmentBytes,
      valueBytesMax,
      partitions,
      compression,
      memoryBytesMax,
      entriesMax,
      eviction,
      onEnd: (name, node) => {
        watch.onEnd(name, node);
        this.#activity.onEnd(this.#cluster, name);
      },
      onStarting: (name) => this.#mover?.onStarting(name),
      onRecovered: (name, node) => watch.onStart(name, node),
      isExpectedEnd: FaultPlan.isExpectedEnd,
      isExpectedRefusal: FaultPlan.isExpectedRefusal,
      onLine: (name, { level, event, fields }): void => {
        if (event === 'epoch') epochs.onEpoch(this.#cluster, name);
        if (!journal.on || (level === 'debug' && options.trace !== 'all')) return;
        journal.note(undefined, () => `${name} logs ${level} ${event} ${JSON.stringify(fields)}`);
      },
    });
    this.#cluster.start();
    this.#cluster.awaitReady();
    const { syncMsMax, faultMs, faults } = profile;
    this.#cluster.names.map((name) => Object.assign(world.disk(name).behaviour, { syncMsMax }));
    const bitRot = new BitRot(world, this.#cluster, journal);
    const faultOptions = { powerLoss: this.#lasting || this.#forgets, intervalMs: faultMs, kinds: faults, bitRot };
    this.faults = new FaultPlan(world, this.#cluster, faultOptions, journal);
    const { epochMs } = profile;
    if (epochMs !== 0) this.#operator = new Operator(world, this.#cluster, journal, epochMs);
    if (profile.moveMs !== 0) {
      const onWiped = (name: string): void => watch.forget(name);
      this.#mover = new Mover(world, this.#cluster, journal, { intervalMs: profile.moveMs, onWiped });
    }
    const clients = profile.bareClients + profile.realClients + profile.serialClients;
    const workloadOptions = {
      bareClients: profile.bareClients,
      realClients: profile.realClients,
      serialClients: profile.serialClients,
      keys: this.#keys,
      // Batches and bursts make more than one operation of an action.
      intervalMs: (clients * profile.loadMs * 1.4 * busyShare(profile.silenceMs)) / profile.operations,
      silenceMs: profile.silenceMs,
      valueBytesMax,
      keyBytesMax: KEY_BYTES_MAX,
      largeShare: profile.largeShare,
      batchShare: profile.batchShare,
      ttlShare: profile.ttlShare,
      deleteShare: profile.deleteShare,
      scanShare: profile.scanShare,
      backupMs: profile.backupMs,
      evicts: this.#evicts,
      forgets: this.#forgets,
      lateMsMax: this.faults.delaysAnswers ? undefined : LATE_MS_MAX,
    };
    this.load = new Workload(world, this.#cluster, workloadOptions, broken, journal);
    const { counters, counterMs } = profile;
    const counterOptions = { counters, intervalMs: counterMs, forgets: this.#forgets };
    this.#counters = new CounterLoad(world, this.#cluster, counterOptions, broken, journal);
    this.#floors = new FloorWatch(world, this.#cluster, this.#keys, this.load.history, broken);
  }

  /** What the load brought about, as far as it must. */
  activity(): Record<string, number> {
    return { ...this.#activity.total(this.#cluster), backups: this.load.backups };
  }

  async execute(): Promise<void> {
    const world = this.#world;
    const endMs = world.nowMs + this.#loadMs;
    this.load.run(endMs + CALM_MS);
    this.#counters.run(endMs + CALM_MS);
    this.faults.run(endMs);
    this.#operator?.run(endMs);
    this.#mover?.run(endMs);
    this.#floors.run(endMs + CALM_MS);
    for (let check = 1; check <= CURSOR_CHECKS; check++) {
      await world.play(endMs - (this.#loadMs * (CURSOR_CHECKS - check)) / CURSOR_CHECKS);
      this.#checkCursors();
    }
    this.faults.heal();
    await world.play(world.nowMs + CALM_MS);
    for (let more = 0; more < CALM_MORE_MAX && !this.load.hasShown(DONE_MIN, UNKNOWN_SHARE_MAX / 2); more++) {
      this.load.run(world.nowMs + CALM_MS);
      await world.play(world.nowMs + CALM_MS);
    }
    await world.play(world.nowMs + SETTLE_MS);
    // What was planned before the end may have struck since: a restart after a crash, a clock that was set.
    this.faults.heal();
    this.#cluster.awaitReady();
    await world.play(world.nowMs + SETTLE_MS / 2);
    this.#endMoves();
    this.#judge();
  }

  /** What was begun comes to its end once everything has healed. */
  #endMoves(): void {
    const mover = this.#mover;
    if (mover === undefined) return;
    const world = this.#world;
    for (let waitedMs = 0; waitedMs < MOVED_MS && !mover.isAtRest; waitedMs += STEP_MS) {
      mover.finish();
      world.run(world.nowMs + STEP_MS);
    }
    if (!mover.isAtRest) this.#broken.add(`a change is pending ${MOVED_MS / 1000} s after everything healed`);
    this.#cluster.awaitReady();
  }

  #checkCursors(): void {
    // What was acknowledged to a peer may be lost there.
    if (!this.#forgets) checkCursors(this.#world, this.#cluster, this.#evicts, this.#broken);
  }

  get #isConverged(): boolean {
    return isConverged(this.#world, this.#cluster, this.#keys) && this.#counters.isConverged;
  }

  #judge(): void {
    const world = this.#world;
    const cluster = this.#cluster;
    const broken = this.#broken;
    const { history } = this.load;
    for (const what of this.load.unanswered()) broken.add(`never answered: ${what}`);
    for (const [name, error] of cluster.fatal) broken.add(`${name} ended: ${error.stack ?? error.message}`);
    const idle = (): boolean =>
      cluster.members.every(
        (name) => cluster.node(name).replication?.streams.every((stream) => stream?.idle !== false) === true,
      );
    if (!world.runUntil(idle, world.nowMs + CATCH_UP_MS)) {
      broken.add(`the streams are not idle ${CATCH_UP_MS / 1000} s after everything healed`);
    }
    this.#checkCursors();
    // The streams bring what was missed, comparison what no log knew: nobody has to read a key for that.
    if (this.faults.kinds.includes('bit-rot')) world.run(world.nowMs + ROT_HEALED_MS);
    for (let waitedMs = 0; waitedMs < CONVERGE_MS && !this.#isConverged; waitedMs += STEP_MS) {
      world.run(world.nowMs + STEP_MS);
    }
    checkConverged(world, cluster, this.#keys, broken);
    this.#counters.judge();
    this.#floors.look();
    const expiring = this.faults.movesClocks ? history.writes.filter(({ ttlMs }) => ttlMs > 0) : [];
    const final = readAll(cluster, this.#keys, new Set(expiring.map(({ key }) => key)), broken);
    readSerial(cluster, this.load.serial, broken);
    world.run(world.nowMs + 500);
    checkConverged(world, cluster, this.#keys, broken);
    const evicts = this.#evicts;
    const { movesClocks } = this.faults;
    const serialKeys = new Set(this.load.serial.keys);
    checkLogs(cluster, history, (key) => serialKeys.has(key), evicts, broken);
    checkStamps(history, final, evicts, broken);
    checkSerial(this.load.serial, cluster, broken);
    if (this.#forgets) return;
    checkRegular(history, { movedClocks: movesClocks, evicts }, broken);
    if (!movesClocks) checkExpiry(history, broken);
    checkScans(history, evicts, broken);
    const lasting = this.#lasting && this.#mover?.hasRemovedDead !== true;
    checkHistory(history, final, lasting, evicts, broken);
  }
}

/** Of so many bytes, or as short as can be; one is as long as keys may be, and one is not ASCII. */
function keysOf(count: number, bytes: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    if (index === 7) return 'k'.repeat(KEY_BYTES_MAX);
    return index === 5 ? 'schlüssel-☃-5' : `key-${index}`.padEnd(bytes, '.');
  });
}
