import { type Client, createClient, type MemDbError } from '@memdb/client';
import { CounterEntryList, counterHash } from '@memdb/protocol';
import { BareClient, type BareReply, LEVEL } from './bare-client.js';
import type { BrokenPromises } from './broken-promise.js';
import { textOf } from './counter-store.js';
import type { Journal } from './journal.js';
import type { SimCluster } from './sim-cluster.js';
import { SIM_PORT } from './sim-cluster.js';
import type { SimRandom } from './sim-random.js';
import type { SimPorts, SimWorld } from './sim-world.js';
import { TEST_KEYS } from './test-keys.js';

const TIMEOUT_MS = 1000;
const REDIAL_MS = 50;
/** Requests of one connection that have no answer. */
const PENDING_MAX = 8;

interface Add {
  readonly amount: bigint;
  readonly level: number;
  readonly begun: number;
  answered: number;
  outcome: 'acknowledged' | 'unknown' | 'not-applied';
}

interface Read {
  readonly value: bigint;
  readonly begun: number;
  readonly answered: number;
}

/** One counter, and all that was asked of it. */
interface Ledger {
  readonly name: string;
  /** Of some counters no read may ever see less than an earlier one: nothing is subtracted. */
  readonly rises: boolean;
  /** Large amounts, so that several nodes at once may lead it out of the range. */
  readonly brims: boolean;
  readonly adds: Add[];
  readonly reads: Read[];
}

export interface CounterLoadOptions {
  readonly counters: number;
  /** Mean time between two requests. */
  readonly intervalMs: number;
  /** Only what holds although replicas may have lost what they acknowledged is checked while faults happen. */
  readonly forgets: boolean;
}

/**
 * Clients that count, at nodes of their choice and through the library, beside whatever else goes on. What they are told
 * is judged: every read at quorum lies between what must count and what may, and in the end every owner holds the same
 * entries, and they are all acknowledged adds, some of those of unknown outcome, and no other.
 */
export class CounterLoad {
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #options: CounterLoadOptions;
  readonly #broken: BrokenPromises;
  readonly #journal: Journal;
  readonly #random: SimRandom;
  readonly #ports: SimPorts;
  readonly #ledgers: Ledger[];
  readonly #connections: Map<string, BareClient> = new Map();
  readonly #dialledMs: Map<string, number> = new Map();
  #client: Client | undefined;
  #moment = 0;
  /** Requests that succeeded. */
  done = 0;

  constructor(
    world: SimWorld,
    cluster: SimCluster,
    options: CounterLoadOptions,
    broken: BrokenPromises,
    journal: Journal,
  ) {
    this.#world = world;
    this.#cluster = cluster;
    this.#options = options;
    this.#broken = broken;
    this.#journal = journal;
    this.#random = world.random.fork('counters');
    this.#ports = world.createPorts('counters');
    this.#ledgers = Array.from({ length: options.counters }, (_, index) => {
      // A key has the name of the first.
      const name = index === 0 ? 'key-0' : `counter-${index}`;
      return { name, rises: index % 2 === 0, brims: index === 3, adds: [], reads: [] };
    });
  }

  /** Counts until a moment of the world. */
  run(untilMs: number): void {
    if (this.#ledgers.length === 0) return;
    this.#client ??= createClient({
      ports: this.#world.createPorts('counters.client', true),
      seeds: this.#cluster.names.map((host) => ({ host, port: SIM_PORT })),
      key: TEST_KEYS.client,
      timeoutMs: TIMEOUT_MS,
      connectTimeoutMs: 60_000,
    });
    this.#next(untilMs);
  }

  #next(untilMs: number): void {
    const atMs = this.#world.nowMs - Math.log(1 - this.#random.unit()) * this.#options.intervalMs;
    if (atMs > untilMs) return;
    this.#world.at(atMs, () => {
      this.#act();
      this.#next(untilMs);
    });
  }

  #act(): void {
    const random = this.#random;
    const ledger = random.pick(this.#ledgers);
    const byLibrary = random.chance(0.3);
    const adds = random.chance(0.6);
    const connection = byLibrary ? undefined : this.#connection(random.pick(this.#cluster.names));
    if (adds) this.#add(ledger, connection, byLibrary);
    else this.#read(ledger, connection, byLibrary);
  }

  #add(ledger: Ledger, connection: BareClient | undefined, byLibrary: boolean): void {
    const random = this.#random;
    const level = random.pick([LEVEL.one, LEVEL.one, LEVEL.quorum, LEVEL.quorum, LEVEL.all]);
    const size = BigInt(random.pick([1, 1, 1 + random.below(1000), 2 ** 32 + random.below(1000)]));
    const sized = ledger.brims ? 2n ** 62n : size;
    const amount = !ledger.rises && random.chance(0.5) ? -sized : sized;
    if (!byLibrary && connection === undefined) return;
    const add: Add = { amount, level, begun: this.#moment++, answered: Number.POSITIVE_INFINITY, outcome: 'unknown' };
    ledger.adds.push(add);
    const { name } = ledger;
    this.#journal.note(name, () => `adds ${amount} to counter ${name} at level ${level} (${add.begun})`);
    const settle = (error: MemDbError | undefined): void => {
      add.answered = this.#moment++;
      add.outcome = error === undefined ? 'acknowledged' : error.outcome;
      if (error === undefined) this.done++;
      else this.#checkRefusal(error, name);
      this.#journal.note(name, () => `add ${add.begun} of ${amount} to counter ${name}: ${error?.message ?? 'done'}`);
    };
    if (connection !== undefined) {
      connection.counterAdd(name, level, amount, ({ error }) => settle(error), TIMEOUT_MS);
      return;
    }
    const consistency = level === LEVEL.one ? 'one' : level === LEVEL.all ? 'all' : 'quorum';
    const counter = this.#client?.counter(name);
    const ended = amount < 0n ? counter?.subtract(-amount, { consistency }) : counter?.add(amount, { consistency });
    ended?.then(() => settle(undefined), settle);
  }

  #read(ledger: Ledger, connection: BareClient | undefined, byLibrary: boolean): void {
    const quorum = this.#random.chance(0.8);
    if (!byLibrary && connection === undefined) return;
    const begun = this.#moment++;
    const { name } = ledger;
    const onValue = (value: bigint): void => {
      this.done++;
      const answered = this.#moment++;
      this.#journal.note(name, () => `counter ${name} read ${quorum ? 'at quorum' : 'at one'}: ${value} (${begun})`);
      if (quorum) ledger.reads.push({ value, begun, answered });
    };
    const onError = (error: MemDbError): void => {
      this.#checkRefusal(error, name);
      if (error.outcome !== 'not-applied') this.#broken.add(`a read of a counter is ${error.outcome}`, name);
    };
    const onReply = ({ error, number }: BareReply): void => {
      if (error !== undefined) onError(error);
      else if (number !== undefined) onValue(number);
    };
    if (connection !== undefined) {
      connection.counterGet(name, quorum ? LEVEL.quorum : LEVEL.one, onReply, TIMEOUT_MS);
      return;
    }
    const counter = this.#client?.counter(name);
    counter?.get({ consistency: quorum ? 'quorum' : 'one' }).then(onValue, onError);
  }

  /** No request is malformed: whatever fails does so for a fault, or for the range. */
  #checkRefusal({ code, message }: MemDbError, name: string): void {
    if (code === 'bad-request' || code === 'not-supported' || code.startsWith('key-')) this.#broken.add(message, name);
  }

  #connection(name: string): BareClient | undefined {
    const known = this.#connections.get(name);
    if (known !== undefined && !known.closed) return known.ready && known.pending < PENDING_MAX ? known : undefined;
    const { nowMs } = this.#world;
    if (nowMs - (this.#dialledMs.get(name) ?? -REDIAL_MS) < REDIAL_MS) return undefined;
    this.#dialledMs.set(name, nowMs);
    this.#connections.set(name, new BareClient(this.#ports, { host: name, port: SIM_PORT }));
    return undefined;
  }

  /** What each owner of a counter holds: its entries, or undefined where it cannot be looked at. */
  #held(name: string): (readonly string[] | undefined)[] {
    const nodes = this.#cluster.names.map((host) => ({ host, node: this.#cluster.node(host) }));
    const placed = nodes.find(({ node }) => node.replication !== undefined)?.node.replication;
    if (placed === undefined) return [];
    const bytes = new TextEncoder().encode(name);
    const view = new DataView(bytes.buffer);
    const hash = counterHash(bytes, view, 0, bytes.length, placed.hashSeed);
    return placed.sets.ofHash(hash).members.map((member) => {
      const owner = nodes.find(({ node }) => node.number === member);
      const entries = owner?.node.store?.entries;
      if (owner === undefined || entries === undefined || !this.#world.isRunning(owner.host)) return undefined;
      const list = new CounterEntryList();
      entries.collect(hash, view, 0, bytes.length, list);
      return entries.isLost(hash) ? undefined : textOf(list);
    });
  }

  /** Whether all owners of all counters hold the same entries. */
  get isConverged(): boolean {
    return this.#ledgers.every(({ name }) => {
      const [first, ...others] = this.#held(name);
      return first !== undefined && others.every((held) => held?.join() === first.join());
    });
  }

  /** Everything has healed. */
  judge(): void {
    for (const ledger of this.#ledgers) {
      if (!this.#options.forgets) this.#judgeReads(ledger);
      this.#judgeEnd(ledger);
    }
  }

  #judgeReads({ name, rises, adds, reads }: Ledger): void {
    for (const { value, begun, answered } of reads) {
      let least = 0n;
      let most = 0n;
      for (const add of adds) {
        if (add.outcome === 'not-applied' || add.begun > answered) continue;
        const isSure = add.outcome === 'acknowledged' && add.level !== LEVEL.one && add.answered < begun;
        if (isSure || add.amount < 0n) least += add.amount;
        if (isSure || add.amount > 0n) most += add.amount;
      }
      if (value < least || value > most) {
        this.#broken.add(`the counter was read as ${value} (${begun}), which is not from ${least} to ${most}`, name);
      }
    }
    if (!rises) return;
    const byEnd = [...reads].sort((a, b) => a.answered - b.answered);
    let next = 0;
    let highest = 0n;
    for (const read of [...reads].sort((a, b) => a.begun - b.begun)) {
      for (; next < byEnd.length && byEnd[next].answered < read.begun; next++) {
        if (byEnd[next].value > highest) highest = byEnd[next].value;
      }
      if (read.value < highest)
        this.#broken.add(`the counter was ${highest} and then ${read.value} (${read.begun})`, name);
    }
  }

  #judgeEnd({ name, adds }: Ledger): void {
    const held = this.#held(name);
    const [first] = held;
    if (first === undefined || held.some((one) => one?.join() !== first.join())) {
      const text = held.map((one) => one?.join(', ') ?? 'down').join(' | ');
      this.#broken.add(`owners hold different entries of the counter at the end: ${text}`, name);
      return;
    }
    let value = 0n;
    for (const entry of first) {
      const [, added, subtracted] = / \+(\d+) -(\d+)$/.exec(entry) ?? [];
      value += BigInt(added ?? 0) - BigInt(subtracted ?? 0);
    }
    let least = 0n;
    let most = 0n;
    for (const { outcome, amount } of adds) {
      if (outcome === 'not-applied') continue;
      if (outcome === 'acknowledged' || amount < 0n) least += amount;
      if (outcome === 'acknowledged' || amount > 0n) most += amount;
    }
    if (value < least || value > most) {
      this.#broken.add(`the counter is ${value} in the end, not from ${least} to ${most}: ${first.join(', ')}`, name);
    }
  }
}
