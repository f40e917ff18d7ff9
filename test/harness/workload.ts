import { BackupActor } from './backup-actor.js';
import { BareActor } from './bare-actor.js';
import { LEVEL } from './bare-client.js';
import type { BrokenPromises } from './broken-promise.js';
import { ClientActor } from './client-actor.js';
import {
  type Content,
  History,
  orderOf,
  type SeenStamp,
  stampText,
  valueText,
  type WriteEvent,
  type WriteOutcome,
} from './history.js';
import type { Journal } from './journal.js';
import { ownersOf } from './owner-versions.js';
import { PipelineOrder } from './pipeline-order.js';
import { SerialActor } from './serial-actor.js';
import { type SerialEvent, SerialHistory } from './serial-history.js';
import type { SimCluster } from './sim-cluster.js';
import type { SimRandom } from './sim-random.js';
import type { SimWorld } from './sim-world.js';

export interface WorkloadOptions {
  /** Clients that speak the bare protocol: one names its coordinator, and may behave oddly. */
  readonly bareClients: number;
  /** Programs that use the client library. */
  readonly realClients: number;
  /** Clients of serial keys. */
  readonly serialClients: number;
  readonly keys: readonly string[];
  /** Mean time between two requests of one client; in a burst, where there are silences. */
  readonly intervalMs: number;
  /** Nobody asks anything for so long between two bursts; 0: there are no bursts. */
  readonly silenceMs: number;
  readonly valueBytesMax: number;
  readonly keyBytesMax: number;
  /** Share of values of any size up to the limit; the others are short. */
  readonly largeShare: number;
  /** Share of batches among the operations of the client library. */
  readonly batchShare: number;
  /** Share of values that expire, among those that the client library sets. */
  readonly ttlShare: number;
  /** Share of deletions among the writes to one key. */
  readonly deleteShare: number;
  /** Share of scans among the operations of the client library. */
  readonly scanShare: number;
  /** Mean time between two backups; 0: none are taken. */
  readonly backupMs: number;
  /** Values may go at any time. */
  readonly evicts: boolean;
  /** Owners may have lost what they acknowledged by the time that the client hears of it. */
  readonly forgets: boolean;
  /** How long after its deadline an answer of a node may come; undefined where a fault explains any delay. */
  readonly lateMsMax: number | undefined;
}

/** What all clients of one run share. */
export interface WorkloadContext {
  readonly world: SimWorld;
  readonly cluster: SimCluster;
  readonly options: WorkloadOptions;
  readonly history: History;
  readonly broken: BrokenPromises;
  readonly journal: Journal;
  readonly workload: Workload;
}

/** When something began: its place in the history, and the time of the world. */
export interface Begun {
  readonly moment: number;
  readonly ms: number;
}

/** A client: `act` asks something, at a random moment. */
export interface Actor {
  act(): void;
  /** Requests that should have been answered by now, as sentences. */
  unanswered(): string[];
}

const BURST_MS = 500;
/** Serial keys in use at a time. */
const SERIAL_KEYS = 3;

/** Share of the time in which somebody asks, with silences of this length. */
export function busyShare(silenceMs: number): number {
  return BURST_MS / (BURST_MS + silenceMs);
}

/** Clients that read and write at random while faults happen. What they see is kept, for the checkers. */
export class Workload {
  readonly history: History = new History();
  readonly serial: SerialHistory = new SerialHistory();
  /** Serial keys in use now, those of them that surely are serial, and values that were seen there. */
  readonly #serialKeys: string[] = [];
  readonly #isSerial: Set<string> = new Set();
  readonly #serialValues: Map<string, string | undefined> = new Map();
  #serialNames = 0;
  /** Operations begun, and those of them that succeeded. */
  begun = 0;
  done = 0;
  /** Writes that failed with an unknown outcome so far. */
  unknown = 0;
  readonly #context: WorkloadContext;
  readonly #actors: Actor[] = [];
  readonly #random: SimRandom;
  readonly #order: PipelineOrder = new PipelineOrder();
  readonly #backups: BackupActor | undefined;
  #untilMs = 0;

  constructor(
    world: SimWorld,
    cluster: SimCluster,
    options: WorkloadOptions,
    broken: BrokenPromises,
    journal: Journal,
  ) {
    this.#context = { world, cluster, options, history: this.history, broken, journal, workload: this };
    this.#random = world.random.fork('workload');
    for (let index = 0; index < options.bareClients; index++) {
      this.#actors.push(new BareActor(this.#context, `bare-${index}`, index % 2 === 0));
    }
    const token = { counter: 0 };
    for (let index = 0; index < options.realClients; index++) {
      // Some programs hand their session token on to each other.
      this.#actors.push(new ClientActor(this.#context, `client-${index}`, index % 2 === 0 ? token : { counter: 0 }));
    }
    for (let index = 0; index < options.serialClients; index++) {
      this.#actors.push(new SerialActor(this.#context, `serial-${index}`));
    }
    if (options.backupMs > 0) this.#backups = new BackupActor(this.#context, options.backupMs);
  }

  /** Backups that were taken. */
  get backups(): number {
    return this.#backups?.taken ?? 0;
  }

  /** Lets every client ask until a moment of the world. */
  run(untilMs: number): void {
    this.#untilMs = untilMs;
    for (const actor of this.#actors) this.#next(actor);
    this.#backups?.run(untilMs);
  }

  /** Whether enough operations succeeded, and few enough had an unknown outcome, for the run to count. */
  hasShown(doneMin: number, unknownShareMax: number): boolean {
    return this.done >= doneMin && this.unknown <= this.begun * unknownShareMax;
  }

  unanswered(): string[] {
    return [...this.#actors, ...(this.#backups === undefined ? [] : [this.#backups])].flatMap((actor) =>
      actor.unanswered(),
    );
  }

  /** Half of all requests go to the first few keys. */
  pickKey(random: SimRandom): string {
    const { keys } = this.#context.options;
    return random.chance(0.5) ? keys[random.below(Math.min(4, keys.length))] : random.pick(keys);
  }

  /** One of a few keys; each is left for another after so many operations. */
  serialKey(random: SimRandom, operationsMax: number): string {
    const at = random.below(SERIAL_KEYS);
    const known = this.#serialKeys[at];
    if (known !== undefined && this.serial.count(known) < operationsMax) return known;
    const key = `serial-${this.#serialNames++}`;
    this.#serialKeys[at] = key;
    return key;
  }

  /** Whether a serial write on the key was acknowledged. */
  isSerial(key: string): boolean {
    return this.#isSerial.has(key);
  }

  /** A value that the key had not long ago; undefined: none was seen. */
  lastSerialValue(key: string): string | undefined {
    return this.#serialValues.get(key);
  }

  onSerialAnswer({ key, input, output }: SerialEvent): void {
    const applied = input.kind === 'cas' && output?.kind === 'compared' && output.applied;
    if (applied) this.#isSerial.add(key);
    if (output?.kind === 'value') this.#serialValues.set(key, output.value);
    else if (output?.kind === 'compared') {
      this.#serialValues.set(key, applied && input.kind === 'cas' ? input.next : output.actual);
    } else if (input.kind === 'set') this.#serialValues.set(key, input.value);
  }

  beginWrite(random: SimRandom, key: string, isSet: boolean, level: number, who: string, ttlMs = 0): WriteEvent {
    const { journal, world } = this.#context;
    const id = this.history.writes.length;
    const write: WriteEvent = {
      id,
      key,
      value: isSet ? this.#value(random, id) : undefined,
      level,
      ttlMs,
      begun: this.history.moment(),
      begunMs: world.nowMs,
      answeredMs: Number.POSITIVE_INFINITY,
      answered: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      stamp: undefined,
    };
    this.begun++;
    this.history.writes.push(write);
    journal.note(key, () => `${who} begins write ${id} at level ${level}: ${valueText(write.value)}`);
    return write;
  }

  /**
   * `stamp`: what the reply said; undefined when it does not tell. `token`: the session's, when the write was sent.
   * `line`: the connection or client whose writes to one key keep their order.
   */
  acknowledge(write: WriteEvent, stamp: SeenStamp | undefined, token: number, line: object): void {
    const { journal, broken, world } = this.#context;
    write.answered = this.history.moment();
    write.answeredMs = world.nowMs;
    write.outcome = 'acknowledged';
    this.done++;
    write.stamp = stamp ?? this.#stampOf(write);
    journal.note(write.key, () => `write ${write.id} acknowledged @${write.stamp ? stampText(write.stamp) : '?'}`);
    if (write.stamp === undefined) return;
    // Lamport: what is written now is newer than all that its session had seen, whatever the key (semantics: Session).
    if (write.stamp.counter <= token) {
      broken.add(`write ${write.id} got @${stampText(write.stamp)} although its session had seen ${token}`, write.key);
    }
    this.#order.acknowledged(line, write, write.stamp, broken);
    if (write.level !== LEVEL.one) this.#checkHolders(write, write.stamp);
  }

  failWrite(write: WriteEvent, outcome: Exclude<WriteOutcome, 'acknowledged'>, why: string): void {
    write.answered = this.history.moment();
    write.answeredMs = this.#context.world.nowMs;
    write.outcome = outcome;
    if (outcome === 'unknown') this.unknown++;
    this.#context.journal.note(write.key, () => `write ${write.id} failed, ${outcome}: ${why}`);
  }

  beginRead(key: string, what: string): Begun {
    this.begun++;
    const begun = { moment: this.history.moment(), ms: this.#context.world.nowMs };
    this.#context.journal.note(key, () => `${what} (${begun.moment})`);
    return begun;
  }

  /** `counts`: it was an operation of a client. */
  answerRead(
    key: string,
    begun: Begun,
    quorum: boolean,
    stamp: SeenStamp | undefined,
    content: Content,
    counts = true,
  ): void {
    const answered = this.history.moment();
    const answeredMs = this.#context.world.nowMs;
    if (counts) this.done++;
    const { moment, ms: begunMs } = begun;
    if (stamp !== undefined && stamp.counter > 0) this.#checkAnswer(key, quorum, stamp, content.kind === 'absent');
    this.history.reads.push({ key, quorum, begun: moment, answered, begunMs, answeredMs, stamp, content });
    this.#context.journal.note(key, () => {
      const what = content.kind === 'value' ? valueText(content.value) : content.kind;
      return `read ${quorum ? 'at quorum' : 'at one'} (begun at ${moment}): ${what} @${stamp ? stampText(stamp) : '?'}`;
    });
  }

  failRead(key: string, outcome: string, why: string): void {
    if (outcome !== 'not-applied') this.#context.broken.add(`a read failed with the outcome ${outcome}`, key);
    this.#context.journal.note(key, () => `a read failed: ${why}`);
  }

  #next(actor: Actor): void {
    const { world, options } = this.#context;
    const atMs = this.#afterSilence(world.nowMs - Math.log(1 - this.#random.unit()) * options.intervalMs);
    if (atMs > this.#untilMs) return;
    world.at(atMs, () => {
      actor.act();
      this.#next(actor);
    });
  }

  /** The moment, or that of the next burst. */
  #afterSilence(atMs: number): number {
    const { silenceMs } = this.#context.options;
    const since = atMs % (BURST_MS + silenceMs);
    return since < BURST_MS ? atMs : atMs - since + BURST_MS + silenceMs + (since % BURST_MS);
  }

  /** Every value names its write, but for some empty ones. */
  #value(random: SimRandom, id: number): string {
    const { largeShare, valueBytesMax } = this.#context.options;
    if (random.chance(0.03)) return '';
    const bytes = random.chance(largeShare)
      ? random.pick([valueBytesMax, random.below(valueBytesMax), random.below(valueBytesMax)])
      : random.below(100);
    return `${id}:`.padEnd(bytes, 'x');
  }

  /** The stamp of a write that was acknowledged at this very moment, found at an owner that holds its value. */
  #stampOf(write: WriteEvent): SeenStamp | undefined {
    if (write.value === undefined || write.value === '') return undefined;
    const { world, cluster } = this.#context;
    for (const version of ownersOf(world, cluster, write.key)) {
      if (version !== 'down' && version.text() === write.value) return version.stamp;
    }
    return undefined;
  }

  /**
   * What was acknowledged stands on enough owners at that very moment, durably (mechanisms: Plain writes and reads).
   */
  #checkHolders(write: WriteEvent, stamp: SeenStamp): void {
    if (this.#context.options.forgets) return;
    const { holders, owners, text } = this.#holdersOf(write.key, stamp);
    const needed = write.level === LEVEL.all ? owners : Math.floor(owners / 2) + 1;
    if (holders >= needed) return;
    const what = `write ${write.id} was acknowledged @${stampText(stamp)} with ${holders} of ${needed} holders`;
    this.#context.broken.add(`${what}: ${text()}`, write.key);
  }

  /** What was read stands durably on a majority, or at one replica at least: no reply speaks of anything else. */
  #checkAnswer(key: string, quorum: boolean, stamp: SeenStamp, isAbsent: boolean): void {
    if (this.#context.options.forgets) return;
    const { holders, owners, text } = this.#holdersOf(key, stamp, isAbsent);
    const needed = quorum ? Math.floor(owners / 2) + 1 : 1;
    if (holders >= needed) return;
    this.#context.broken.add(`@${stampText(stamp)} was read with ${holders} of ${needed} holders: ${text()}`, key);
  }

  /**
   * Owners that hold a version durably, or a newer one. One that is down, or whose bits flip, is given the benefit of the
   * doubt. For a key that is absent the stamp may be a floor: having no value is enough.
   */
  #holdersOf(key: string, stamp: SeenStamp, isAbsent = false): { holders: number; owners: number; text: () => string } {
    const { world, cluster, options } = this.#context;
    const versions = ownersOf(world, cluster, key);
    const holders = versions.filter((version) => {
      if (version === 'down' || world.disk(version.node).isDamaged) return true;
      const hasNone = version.text() === undefined;
      if (isAbsent && (version.expires || hasNone)) return true;
      const order = orderOf(version.stamp, stamp);
      // Only what is durable is evicted, and at the stamp that it has.
      return order > 0 || (order === 0 && (version.durable || (options.evicts && hasNone)));
    });
    const text = (): string =>
      versions
        .map((held) =>
          held === 'down' ? held : `${held.node} @${stampText(held.stamp)}${held.durable ? '' : ' soon'}`,
        )
        .join(', ');
    return { holders: holders.length, owners: versions.length, text };
  }
}
