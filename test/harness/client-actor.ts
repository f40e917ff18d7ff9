import { type Client, type ConsistencyLevel, createClient, type MemDbError } from '@memdb/client';
import { LEVEL } from './bare-client.js';
import { ABSENT, contentOf, PRESENT, type SeenStamp, type WriteEvent } from './history.js';
import { SIM_PORT } from './sim-cluster.js';
import type { SimRandom } from './sim-random.js';
import { TEST_KEYS } from './test-keys.js';
import type { Actor, WorkloadContext } from './workload.js';

const TIMEOUT_MS = 1000;
/** Operations of one program that have not ended. */
const PENDING_MAX = 16;
/** Who waited in vain does not go on asking at full speed. */
const REST_MS = 200;
const BATCH_KEYS_MAX = 12;
/** The client's clock is right and its process runs: it keeps its own time limits. */
const LATE_MS_MAX = 100;
/** Operations end by their time limit, connections by the lingering of their sockets. */
const CLOSE_MS_MAX = 10_000;
/** A scan is given up after so many errors. */
const SCAN_FAILURES_MAX = 3;
const TTLS_MS = [20, 300, 1000, 3000, 3_600_000];
const LEVEL_OF: Readonly<Record<ConsistencyLevel, number>> = LEVEL;
const READ_LEVELS: readonly ConsistencyLevel[] = ['quorum', 'quorum', 'quorum', 'all', 'one'];
const WRITE_LEVELS: readonly ConsistencyLevel[] = ['quorum', 'quorum', 'quorum', 'quorum', 'all', 'one'];

/** A session token that programs hand on to each other. */
export interface SharedToken {
  counter: number;
}

/** A program that uses the client library as its documentation says, and now and then starts anew with its token. */
export class ClientActor implements Actor {
  readonly #context: WorkloadContext;
  readonly #name: string;
  readonly #random: SimRandom;
  readonly #token: SharedToken;
  #db: Client;
  #programs = 0;
  #pending = 0;
  #restUntilMs = 0;

  constructor(context: WorkloadContext, name: string, token: SharedToken) {
    this.#context = context;
    this.#name = name;
    this.#random = context.world.random.fork(name);
    this.#token = token;
    this.#db = this.#open();
  }

  act(): void {
    if (this.#context.world.nowMs < this.#restUntilMs) return;
    const random = this.#random;
    if (random.chance(0.004)) this.#startAnew();
    const burst = random.chance(0.1) ? 1 + random.below(6) : 1;
    for (let count = 0; count < burst && this.#pending < PENDING_MAX; count++) {
      const { batchShare, scanShare } = this.#context.options;
      if (random.chance(scanShare)) this.#scan();
      else if (random.chance(batchShare)) this.#batch();
      else this.#single();
    }
  }

  unanswered(): string[] {
    return this.#pending === 0 ? [] : [`${this.#name}: ${this.#pending} operations did not end`];
  }

  #open(): Client {
    const { world, cluster } = this.#context;
    const random = this.#random;
    const program = `${this.#name}.${++this.#programs}`;
    return createClient({
      ports: world.createPorts(program, true),
      seeds: cluster.names.map((host) => ({ host, port: SIM_PORT })),
      key: TEST_KEYS.client,
      timeoutMs: TIMEOUT_MS,
      connectTimeoutMs: 60_000,
      connectionsPerNode: random.pick([1, 1, 2, 3]),
      token: random.chance(0.5) ? this.#token.counter : String(this.#token.counter),
    });
  }

  /** Another program goes on with this one's token. What is under way ends first. */
  #startAnew(): void {
    const old = this.#db;
    const host = `${this.#name}.${this.#programs}`;
    this.#noteToken();
    this.#db = this.#open();
    this.#run(old.close(), () => this.#context.world.stop(host), undefined, CLOSE_MS_MAX);
  }

  #single(): void {
    const random = this.#random;
    const key = this.#context.workload.pickKey(random);
    const dice = random.below(20);
    if (dice < 10 && random.chance(this.#context.options.deleteShare)) this.#delete(key);
    else if (dice < 10) this.#set(key);
    else if (dice < 16) this.#get(key);
    else if (dice < 18) this.#contains(key);
    else this.#quorumGet(key);
  }

  #set(key: string): void {
    const random = this.#random;
    const { workload } = this.#context;
    const consistency = random.pick(WRITE_LEVELS);
    const { ttlShare } = this.#context.options;
    const ttlMs = random.chance(ttlShare) ? random.pick(TTLS_MS) : 0;
    const write = workload.beginWrite(random, key, true, LEVEL_OF[consistency], this.#name, ttlMs);
    const value = write.value ?? '';
    const token = this.#tokenNow();
    const bytes = random.chance(0.3) ? new TextEncoder().encode(value) : value;
    // Giving up: what became of it is then unknown, unless it was never sent.
    const signal = random.chance(0.02) ? this.#abortSoon() : undefined;
    const options = {
      consistency,
      ...this.#timeout(),
      ...(signal === undefined ? {} : { signal }),
      ...(ttlMs === 0 ? {} : { ttlMs }),
    };
    this.#run(this.#db.set(key, bytes, options), ...this.#writeEnds(write, token));
  }

  #delete(key: string): void {
    const random = this.#random;
    const { workload } = this.#context;
    const consistency = random.pick(WRITE_LEVELS);
    const write = workload.beginWrite(random, key, false, LEVEL_OF[consistency], this.#name);
    const token = this.#tokenNow();
    this.#run(this.#db.delete(key, { consistency, ...this.#timeout() }), ...this.#writeEnds(write, token));
  }

  #get(key: string): void {
    const random = this.#random;
    const { workload } = this.#context;
    const consistency = random.pick(READ_LEVELS);
    const begun = workload.beginRead(key, `${this.#name}: get at ${consistency}`);
    const options = { consistency, ...this.#timeout() };
    const quorum = consistency !== 'one';
    if (random.chance(0.3)) {
      this.#run(
        this.#db.getBytes(key, options),
        (bytes) => {
          const value = bytes === undefined ? undefined : Buffer.from(bytes).toString();
          workload.answerRead(key, begun, quorum, undefined, contentOf(value));
        },
        this.#readFails(key),
      );
      return;
    }
    this.#run(
      this.#db.get(key, options),
      (value) => workload.answerRead(key, begun, quorum, undefined, contentOf(value)),
      this.#readFails(key),
    );
  }

  #contains(key: string): void {
    const { workload } = this.#context;
    const consistency = this.#random.pick(READ_LEVELS);
    const begun = workload.beginRead(key, `${this.#name}: contains at ${consistency}`);
    this.#run(
      this.#db.contains(key, { consistency, ...this.#timeout() }),
      (has) => workload.answerRead(key, begun, consistency !== 'one', undefined, has ? PRESENT : ABSENT),
      this.#readFails(key),
    );
  }

  #quorumGet(key: string): void {
    const { workload, cluster, broken } = this.#context;
    const replies = this.#random.pick(['quorum', 'quorum', 'all', 1, 2, cluster.replicationFactor] as const);
    const begun = workload.beginRead(key, `${this.#name}: quorumGet of ${replies} replies`);
    const line = this.#db;
    // One reply is what `one` promises; two are a majority of three.
    const quorum = typeof replies === 'string' || replies >= Math.floor(cluster.replicationFactor / 2) + 1;
    this.#run(
      this.#db.quorumGet(key, { replies, ...this.#timeout() }),
      ({ value, stamp, mostUpToDate, responses }) => {
        this.#checkToken(line, key, stamp);
        workload.answerRead(key, begun, quorum, stamp, contentOf(value));
        const answered = responses.filter(({ error }) => error === undefined).length;
        const wanted = replies === 'all' ? responses.length : typeof replies === 'number' ? replies : 1;
        if (answered < Math.min(wanted, responses.length)) {
          broken.add(`quorumGet had ${answered} answers, ${wanted} were asked for`, key);
        }
        if (mostUpToDate.value !== value) broken.add('quorumGet returned another value than the newest', key);
      },
      this.#readFails(key),
    );
  }

  #batch(): void {
    const random = this.#random;
    const { workload } = this.#context;
    const keys = Array.from({ length: 1 + random.below(BATCH_KEYS_MAX) }, () => workload.pickKey(random));
    if (random.chance(0.5)) this.#getMany(keys);
    else this.#setMany([...new Set(keys)]);
  }

  /** All keys, or those with a prefix. An error in between is nothing: the scan goes on where it stood. */
  #scan(): void {
    const { world, workload, history, broken, journal } = this.#context;
    const prefix = this.#random.pick(['', 'key-', 'key-1']);
    const begun = workload.beginRead(prefix, `${this.#name}: scan`);
    const keys = new Set<string>();
    const scan = this.#db.keys({ prefix, timeoutMs: TIMEOUT_MS });
    const readOn = async (): Promise<boolean> => {
      for (let failures = 0; failures < SCAN_FAILURES_MAX; ) {
        try {
          const step = await scan.next();
          if (step.done === true) return true;
          keys.add(step.value);
        } catch (error) {
          failures++;
          journal.note(undefined, () => `a scan stood still: ${error instanceof Error ? error.message : error}`);
        }
      }
      return false;
    };
    world.chains++;
    this.#run(
      readOn().finally(() => world.chains--),
      (isWhole) => {
        if (!isWhole) return;
        workload.done++;
        history.scans.push({ prefix, begun: begun.moment, ended: history.moment(), keys });
      },
      (error) => broken.add(`a scan threw: ${error.stack}`),
      Number.POSITIVE_INFINITY,
    );
  }

  #getMany(keys: readonly string[]): void {
    const { workload, broken } = this.#context;
    const consistency = this.#random.pick(READ_LEVELS);
    const begun = keys.map((key) => workload.beginRead(key, `${this.#name}: getMany at ${consistency}`));
    this.#run(
      this.#db.getMany(keys, { consistency, ...this.#timeout() }),
      (results) => {
        for (const [index, key] of keys.entries()) {
          const result = results[index];
          if (result?.key !== key) broken.add(`getMany answered ${String(result?.key)} in its place`, key);
          else if (result.error !== undefined) workload.failRead(key, result.error.outcome, result.error.message);
          else workload.answerRead(key, begun[index], consistency !== 'one', undefined, contentOf(result.value));
        }
      },
      () => broken.add('getMany rejected as a whole'),
    );
  }

  #setMany(keys: readonly string[]): void {
    const random = this.#random;
    const { workload, broken } = this.#context;
    const consistency = random.pick(WRITE_LEVELS);
    const level = LEVEL_OF[consistency];
    const writes = keys.map((key) => workload.beginWrite(random, key, true, level, `${this.#name} in a batch`));
    const token = this.#tokenNow();
    const line = this.#db;
    const entries = writes.map((write) => [write.key, write.value ?? ''] as const);
    this.#run(
      this.#db.setMany(entries, { consistency, ...this.#timeout() }),
      (results) => {
        for (const [index, write] of writes.entries()) {
          const result = results[index];
          if (result?.key !== write.key) {
            broken.add(`setMany answered ${String(result?.key)} in its place`, write.key);
          } else if (result.error === undefined) workload.acknowledge(write, undefined, token, line);
          else workload.failWrite(write, result.error.outcome, result.error.message);
        }
      },
      () => broken.add('setMany rejected as a whole'),
    );
  }

  #writeEnds(write: WriteEvent, token: number): [() => void, (error: MemDbError) => void] {
    const { workload } = this.#context;
    const line = this.#db;
    return [
      () => {
        workload.acknowledge(write, undefined, token, line);
        this.#checkToken(line, write.key, write.stamp);
      },
      (error) => workload.failWrite(write, error.outcome, error.message),
    ];
  }

  /** The session token covers all that the client has seen. */
  #checkToken(db: Client, key: string, stamp: SeenStamp | undefined): void {
    if (stamp === undefined || db.session.token >= stamp.counter) return;
    this.#context.broken.add(`${this.#name} saw @${stamp.counter} and its token is ${db.session.token}`, key);
  }

  #readFails(key: string): (error: MemDbError) => void {
    return (error) => {
      // A caller who gives up is told so, whatever it was.
      this.#context.workload.failRead(key, error.outcome, error.message);
    };
  }

  #run<Result>(
    promise: Promise<Result>,
    onDone: (result: Result) => void,
    onError: ((error: MemDbError) => void) | undefined,
    mostMs: number = TIMEOUT_MS + LATE_MS_MAX,
  ): void {
    this.#pending++;
    const { world, broken } = this.#context;
    const lateMs = world.nowMs + mostMs;
    promise
      .finally(() => {
        if (world.nowMs > lateMs) broken.add(`${this.#name}: an operation ended ${world.nowMs - lateMs} ms too late`);
      })
      .catch(() => {});
    promise.then(
      (result) => {
        this.#pending--;
        this.#noteToken();
        onDone(result);
      },
      (error: MemDbError) => {
        this.#pending--;
        if (error.outcome === 'unknown') this.#restUntilMs = this.#context.world.nowMs + REST_MS;
        if (onError === undefined || error.outcome === undefined) {
          this.#context.broken.add(`${this.#name}: ${error.stack ?? error.message}`);
        } else onError(error);
      },
    );
  }

  #timeout(): { timeoutMs?: number } {
    return this.#random.chance(0.03) ? { timeoutMs: 1 + this.#random.below(20) } : {};
  }

  #abortSoon(): AbortSignal {
    const controller = new AbortController();
    const { world } = this.#context;
    world.at(world.nowMs + this.#random.between(0, 5), () => controller.abort());
    return controller.signal;
  }

  #tokenNow(): number {
    this.#noteToken();
    return this.#db.session.token;
  }

  #noteToken(): void {
    this.#token.counter = Math.max(this.#token.counter, this.#db.session.token);
  }
}
