import {
  type CasReply,
  KEY_BYTES_HARD_MAX,
  type MemDbError,
  Opcode,
  type ResolveReply,
  Role,
  type ScanPlace,
  type ScanReply,
  type WireStamp,
} from '@memdb/protocol';
import { Admin } from './core/admin.js';
import { prefixOf, problemOf, repliesOf, sizeProblem } from './core/arguments.js';
import { Batch, type BatchKind, BatchPart, type ManyResult } from './core/batch.js';
import { type ClientEvents, Connections } from './core/connections.js';
import { Counter } from './core/counter.js';
import { Dispatcher } from './core/dispatcher.js';
import { Events } from './core/events.js';
import { explain, type KeyExplanation } from './core/explain.js';
import { abortedBeforeError, closedError, connectFailedError, keyError } from './core/failures.js';
import { KeyScan } from './core/key-scan.js';
import { KeyScratch } from './core/key-scratch.js';
import type { Link, LinkContext } from './core/link.js';
import { NodeSnapshot } from './core/node-snapshot.js';
import { Form, type Operation } from './core/operation.js';
import type { ClientPorts, Timer } from './core/ports.js';
import type { QuorumGetResult } from './core/quorum-result.js';
import {
  bytesOf,
  parseOperation,
  readCas,
  readNothing,
  resolveRequest,
  type SendCopy,
  type SerialAsk,
  SerialOperations,
  type Settlement,
  settlementOf,
} from './core/serial-operation.js';
import { Session } from './core/session.js';
import { checkTimeoutMs, checkTtlMs, levelOf, secretOf, seedsOf, settingsOf } from './core/settings.js';
import { type SpecialRequest, scanRequest } from './core/special-request.js';
import { type ClientStatistics, createStatistics, type Statistics } from './core/statistics.js';
import { readText } from './core/text.js';
import type { TopologyDescription } from './core/topology.js';
import type {
  CasOptions,
  ConnectOptions,
  Key,
  KeysOptions,
  OperationOptions,
  QuorumGetOptions,
  ReadOptions,
  SetOptions,
  Settings,
  Value,
  WriteOptions,
} from './options.js';

/** What `compareAndSet` found and did. */
export interface CompareAndSetResult {
  readonly applied: boolean;
  /** What the key held instead of what was expected; undefined when it had no value, and when `next` was set. */
  readonly actual: string | undefined;
  /** Of the version that the key has now. */
  readonly stamp: WireStamp;
}

export interface CreateClientOptions extends ConnectOptions {
  readonly ports: ClientPorts;
}

/** The client without a platform: everything it needs of the world comes in `ports`. `connect` is what programs use. */
export function createClient(options: CreateClientOptions): Client {
  return new Client(options);
}

/**
 * A cluster, as a program sees it. Made by `connect`. All methods may be called at any time and any number of times
 * without waiting; what is called in one turn of the event loop leaves in one write per node.
 *
 * Failures are `MemDbError`s whose `outcome` says what became of the operation. Retries happen inside the time limit
 * and only where they are safe: a write that was sent is never sent again unless it was answered that it had no effect.
 */
export class Client {
  /** What this client has seen; `session.token` carries it to another process. */
  readonly session: Session;
  /** What operators ask of nodes and of the cluster. */
  readonly admin: Admin = new Admin(
    (request, options) => this.#special(request, options),
    () => this.topology,
  );
  readonly #settings: Settings;
  readonly #ports: ClientPorts;
  readonly #statistics: Statistics = createStatistics();
  readonly #events: Events<ClientEvents> = new Events();
  readonly #dispatcher: Dispatcher;
  readonly #connections: Connections;
  readonly #level: number;
  readonly #serials: SerialOperations;
  readonly #ready: Promise<void>;
  #connectTimer: Timer | undefined = undefined;
  #whenOpened: (error: MemDbError | undefined) => void = noop;
  #isClosed = false;
  #closing: Promise<void> | undefined = undefined;
  #whenAllClosed: (() => void) | undefined = undefined;
  readonly #links: Set<Link> = new Set();
  #resolve: (value: never) => void = noop;
  #reject: (error: MemDbError) => void = noop;

  constructor(options: CreateClientOptions) {
    const settings = settingsOf(options);
    const { ports } = options;
    this.#settings = settings;
    this.#ports = ports;
    this.#level = levelOf(settings.consistency);
    this.session = new Session(settings.token);
    this.#serials = new SerialOperations(this.session, ports.random, () => ports.clock.monotonicMs());
    const scratch = new KeyScratch();
    const onStaleTopology = (link: Link): void => this.#connections.refresh(link);
    this.#dispatcher = new Dispatcher({
      ports,
      settings,
      scratch,
      statistics: this.#statistics,
      onStaleTopology,
      unreachableReason: () => this.#connections.unreachableReason,
    });
    const identity = new Uint8Array(16);
    ports.random.fill(identity);
    const context: LinkContext = {
      ports,
      settings,
      credentials: {
        role: Role[options.role ?? 'client'],
        keyId: options.key.id,
        secret: secretOf(options),
        identity,
        clusterId: undefined,
      },
      session: this.session,
      scratch,
      dispatcher: this.#dispatcher,
      links: this.#links,
      onAllClosed: () => this.#whenAllClosed?.(),
      onStaleTopology,
    };
    const seeds = seedsOf(options);
    this.#connections = new Connections(context, seeds, this.#statistics, this.#events, (error) => this.#opened(error));
    this.#ready = new Promise((resolve, reject) => {
      this.#whenOpened = (error): void => (error === undefined ? resolve() : reject(error));
    });
    // Not everybody waits for it.
    this.#ready.catch(noop);
    this.#connectTimer = ports.timers.start(settings.connectTimeoutMs, () => {
      this.#opened(connectFailedError(settings.connectTimeoutMs, seeds, this.#connections.lastError));
    });
    this.#connections.start();
  }

  /**
   * Resolves once a node answered and the topology is known; rejects with `unavailable` when that took longer than
   * `connectTimeoutMs`, or with what every seed refused us for, such as `authentication-failed`. The client is closed
   * then. Operations may be called before: they wait.
   */
  ready(): Promise<void> {
    return this.#ready;
  }

  /**
   * The value of `key` as text, or undefined when it is absent. Bytes that are not UTF-8 come as U+FFFD: use
   * `getBytes` for those.
   *
   * @example const name = await db.get('user:1');
   */
  get(key: Key, options?: ReadOptions): Promise<string | undefined> {
    return this.#keyOperation(Opcode.get, Form.text, key, '', options);
  }

  /** The value of `key` in memory of the caller's own, or undefined when it is absent. */
  getBytes(key: Key, options?: ReadOptions): Promise<Uint8Array | undefined> {
    return this.#keyOperation(Opcode.get, Form.bytes, key, '', options);
  }

  /**
   * Stores `value` under `key`. Bytes must not be changed before the promise settles. An error with outcome
   * `unknown` means that the value may have been stored, or may yet be.
   *
   * @example await db.set('user:1', 'Ada', { consistency: 'all' });
   * @example await db.set('session:9', token, { ttlMs: 30 * 60_000 });
   */
  set(key: Key, value: Value, options?: SetOptions): Promise<void> {
    if (this.#isSerial(options))
      return this.#serial(Opcode.set, key, undefined, value, options, readNothing).then(noop);
    return this.#keyOperation(Opcode.set, Form.nothing, key, value, options, options?.ttlMs);
  }

  /** Deletes `key`; deleting what is absent is no error. */
  delete(key: Key, options?: WriteOptions): Promise<void> {
    if (this.#isSerial(options)) {
      return this.#serial(Opcode.delete, key, undefined, undefined, options, readNothing).then(noop);
    }
    return this.#keyOperation(Opcode.delete, Form.nothing, key, '', options);
  }

  /** Whether `key` has a value. */
  contains(key: Key, options?: ReadOptions): Promise<boolean> {
    return this.#keyOperation(Opcode.contains, Form.presence, key, '', options);
  }

  /**
   * Sets `key` to `next` if its value is `expected` now; `expected` undefined: if it has none. True when it did, false
   * when the comparison failed, which is no error. Linearizable. The key is a serial key from then on.
   *
   * @example while (!(await db.cas('lock', undefined, 'mine'))) await delay();
   */
  async cas(key: Key, expected: Value | undefined, next: Value | undefined, options?: CasOptions): Promise<boolean> {
    return (await this.#compare(key, expected, next, options)).applied;
  }

  /**
   * As `cas`, and tells what the key held instead, and the stamp of the version that the key has now: stamps of one key
   * only grow, so that of a lock's holder serves as a fencing token. `next` undefined deletes the key.
   *
   * @example const { applied, actual, stamp } = await db.compareAndSet('lock', { expected: 'free', next: 'held' });
   */
  async compareAndSet(
    key: Key,
    { expected, next }: { readonly expected?: Value | undefined; readonly next?: Value | undefined },
    options?: CasOptions,
  ): Promise<CompareAndSetResult> {
    const { applied, actual, stamp } = await this.#compare(key, expected, next, options);
    return { applied, actual: actual === undefined ? undefined : readText(actual, 0, actual.length), stamp };
  }

  /**
   * What became of a serial operation whose outcome was unknown; `operationId` is that of the error. `not-applied` is
   * final: no late copy of it has an effect any more. `unknown`: so many operations followed that nobody knows.
   *
   * @example if ((await db.resolve(error.operationId)) === 'not-applied') await again();
   */
  async resolve(operationId: string, options?: OperationOptions): Promise<Settlement> {
    const { id, key } = parseOperation(operationId);
    return settlementOf((await this.#special(resolveRequest(key, id), options)) as ResolveReply);
  }

  /**
   * Asks the replicas of `key` and tells what each of them answered, and which version is the newest. Fails with
   * `unavailable` or `timeout` when fewer than `replies` answered.
   *
   * @example const { value, agreed, responses } = await db.quorumGet('user:1', { replies: 'all' });
   */
  quorumGet(key: Key, options: QuorumGetOptions = {}): Promise<QuorumGetResult> {
    try {
      const operation = this.#prepare(options);
      operation.level = repliesOf(options.replies ?? 'quorum');
      return this.#launch(operation, Opcode.quorumGet, Form.quorum, key, '');
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Where a key is, which version each of its owners holds, and why the newest wins. Asks all owners, then a majority, then
   * whoever answers; `timeoutMs` is for each of these. Replicas that were behind are repaired.
   *
   * @example console.log((await db.explain('user:1')).why);
   */
  async explain(key: Key, options: OperationOptions = {}): Promise<KeyExplanation> {
    await this.#ready;
    const problem = problemOf(key);
    const { routes } = this.#dispatcher;
    if (problem !== undefined) throw problem;
    if (routes === undefined) throw closedError();
    return explain(routes.placeOf(key), (replies) => this.quorumGet(key, { ...options, replies }));
  }

  /**
   * The values of many keys as text: a result or an error for each, in the order of `keys`. Never rejects.
   *
   * @example for (const { key, value, error } of await db.getMany(['a', 'b'])) …
   */
  getMany(keys: Iterable<Key>, options?: ReadOptions): Promise<ManyResult<string | undefined>[]> {
    return this.#batch('text', [...keys], [], options);
  }

  /** As `getMany`, with bytes. */
  getManyBytes(keys: Iterable<Key>, options?: ReadOptions): Promise<ManyResult<Uint8Array | undefined>[]> {
    return this.#batch('bytes', [...keys], [], options);
  }

  /**
   * Stores many values: a result or an error for each, in the order of `entries`. Never rejects. There is no
   * atomicity, and no order among different keys. `ttlMs` holds for all of them.
   *
   * @example const failed = (await db.setMany([['a', '1'], ['b', '2']])).filter(({ error }) => error);
   */
  setMany(entries: Iterable<readonly [Key, Value]>, options?: SetOptions): Promise<ManyResult<undefined>[]> {
    const keys: Key[] = [];
    const values: Value[] = [];
    for (const [key, value] of entries) {
      keys.push(key);
      values.push(value);
    }
    return this.#batch('set', keys, values, options, options?.ttlMs);
  }

  /**
   * The keys that begin with `prefix`, in no particular order. A key that is there throughout comes at least once; one
   * that is written or deleted meanwhile may come or not. Keys that are not UTF-8 come with U+FFFD in them: use
   * `keysBytes`. `timeoutMs` is for each request, one for about 16 KiB of keys; `signal` ends the scan with `aborted`.
   *
   * @example for await (const key of db.keys({ prefix: 'user:' })) console.log(key);
   */
  keys(options?: KeysOptions): KeyScan<string> {
    return this.#scan(options, (bytes) => readText(bytes, 0, bytes.length));
  }

  /** As `keys`, with bytes. */
  keysBytes(options?: KeysOptions): KeyScan<Uint8Array> {
    return this.#scan(options, (bytes) => bytes);
  }

  /**
   * The counter of that name; asks nothing yet.
   *
   * @example await db.counter('hits').add(1n);
   */
  counter(name: Key): Counter {
    return new Counter(name, this.#level, (request, options) => this.#special(request, options));
  }

  /** The value of a counter, merged from a majority of its replicas, whatever the client's default consistency is. */
  async getQuorumCounter(name: Key, options?: OperationOptions): Promise<bigint> {
    return this.counter(name).get({ ...options, consistency: 'quorum' });
  }

  /**
   * The log of one node as it is durable now, to be read piece by piece: what backups are made of. `node` is a number
   * of `topology.nodes`. `timeoutMs` is for each request.
   *
   * @example const snapshot = await db.openSnapshot(1); … await snapshot.close();
   */
  openSnapshot(node: number, options?: OperationOptions): Promise<NodeSnapshot> {
    return NodeSnapshot.open(node, (request) => this.#special(request, options));
  }

  /** Who owns what, as last learned; undefined before `ready()`. */
  get topology(): TopologyDescription | undefined {
    return this.#connections.topology;
  }

  /** Calls `listener` whenever it happens. Without a listener nothing happens, for `error` too. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): this {
    this.#events.on(name, listener);
    return this;
  }

  off<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): this {
    this.#events.off(name, listener);
    return this;
  }

  /** Counts since the client was made, and how things stand now: a copy. */
  get stats(): ClientStatistics {
    return {
      ...this.#statistics,
      inProgress: this.#dispatcher.live,
      queued: this.#dispatcher.queued,
      connections: this.#connections.up,
    };
  }

  /**
   * Takes no more operations, waits for those under way (each ends by its time limit), then closes all connections.
   * May be called again; resolves when everything is closed.
   */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#isClosed = true;
      this.#dispatcher.whenIdle(() => {
        if (this.#connectTimer !== undefined) this.#ports.timers.stop(this.#connectTimer);
        this.#whenOpened(closedError());
        this.#whenAllClosed = (): void => {
          this.#dispatcher.stop();
          resolve();
        };
        this.#connections.close();
        if (this.#links.size === 0) this.#whenAllClosed();
      });
    });
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #opened(error: MemDbError | undefined): void {
    if (this.#connectTimer !== undefined) this.#ports.timers.stop(this.#connectTimer);
    this.#connectTimer = undefined;
    this.#whenOpened(error);
    if (error !== undefined) void this.close();
  }

  #keyOperation<Result>(
    opcode: Opcode,
    form: Form,
    key: Key,
    value: Value,
    options: ReadOptions | undefined,
    ttlMs?: number,
  ): Promise<Result> {
    let operation: Operation;
    try {
      operation = this.#prepare(options, ttlMs);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#launch(operation, opcode, form, key, value);
  }

  #isSerial(options: ReadOptions | undefined): boolean {
    return (options?.consistency ?? this.#settings.consistency) === 'serial';
  }

  #compare(
    key: Key,
    expected: Value | undefined,
    next: Value | undefined,
    options: CasOptions | undefined,
  ): Promise<CasReply> {
    return this.#serial(Opcode.cas, key, expected, next, options, readCas);
  }

  async #serial<Result>(
    opcode: Opcode,
    key: Key,
    expected: Value | undefined,
    value: Value | undefined,
    options: CasOptions | undefined,
    read: SpecialRequest['read'],
  ): Promise<Result> {
    const problem =
      problemOf(key) ??
      (expected === undefined ? undefined : (problemOf(expected) ?? sizeProblem(expected))) ??
      (value === undefined ? undefined : (problemOf(value) ?? sizeProblem(value)));
    if (problem !== undefined) throw problem;
    const bytes = bytesOf(key);
    if (bytes.length === 0 || bytes.length > KEY_BYTES_HARD_MAX) throw keyError(bytes.length);
    const ask: SerialAsk = {
      opcode,
      key: bytes,
      expected: expected === undefined ? undefined : bytesOf(expected),
      value: value === undefined ? undefined : bytesOf(value),
      ttlMs: options?.ttlMs === undefined ? 0 : checkTtlMs(options.ttlMs),
    };
    const timeoutMs = options?.timeoutMs === undefined ? this.#settings.timeoutMs : checkTimeoutMs(options.timeoutMs);
    const send: SendCopy = (request, copyMs) => this.#special(request, { ...options, timeoutMs: copyMs });
    return this.#serials.run(ask, timeoutMs, send, read);
  }

  async #special(request: SpecialRequest, options: OperationOptions | undefined): Promise<unknown> {
    const operation = this.#prepare(options);
    operation.special = request;
    return this.#launch(operation, request.opcode, Form.special, '', '');
  }

  #scan<Read>(options: KeysOptions | undefined, read: (bytes: Uint8Array) => Read): KeyScan<Read> {
    const prefix = prefixOf(options?.prefix ?? '');
    const ask = async (place: ScanPlace): Promise<ScanReply> => {
      return (await this.#special(scanRequest(place, prefix), options)) as ScanReply;
    };
    return new KeyScan(ask, read);
  }

  /** Takes an operation with its level, time limit, signal and time to live. Throws MemDbError. */
  #prepare(options: ReadOptions | undefined, ttlMs?: number): Operation {
    if (this.#isClosed) throw closedError();
    let level = this.#level;
    let timeoutMs = this.#settings.timeoutMs;
    if (options !== undefined) {
      if (options.consistency !== undefined) level = levelOf(options.consistency);
      if (options.timeoutMs !== undefined) timeoutMs = checkTimeoutMs(options.timeoutMs);
      if (options.signal?.aborted) throw abortedBeforeError(options.signal);
    }
    const ttl = ttlMs === undefined ? 0 : checkTtlMs(ttlMs);
    const operation = this.#dispatcher.take();
    operation.ttlMs = ttl;
    operation.level = level;
    operation.timeoutMs = timeoutMs;
    operation.signal = options?.signal;
    return operation;
  }

  #launch<Result>(operation: Operation, opcode: Opcode, form: Form, key: Key, value: Value): Promise<Result> {
    this.#statistics.operations++;
    operation.opcode = opcode;
    operation.form = form;
    operation.isWrite = form === Form.nothing;
    operation.key = key;
    operation.value = value;
    const promise = new Promise<Result>(this.#capture);
    operation.resolve = this.#resolve;
    operation.reject = this.#reject;
    const problem = problemOf(key) ?? problemOf(value) ?? sizeProblem(value);
    if (problem === undefined) this.#dispatcher.start(operation);
    else this.#dispatcher.fail(operation, problem);
    return promise;
  }

  async #batch<Result>(
    kind: BatchKind,
    keys: readonly Key[],
    values: readonly Value[],
    options: ReadOptions | undefined,
    ttlMs?: number,
  ): Promise<ManyResult<Result>[]> {
    if (keys.length === 0) return [];
    this.#statistics.operations += keys.length;
    return new Promise((resolve) => {
      const batch = new Batch(kind, keys, values, (results) => resolve(results as ManyResult<Result>[]));
      let operation: Operation;
      try {
        operation = this.#prepare(options, ttlMs);
      } catch (error) {
        for (let index = 0; index < keys.length; index++) this.#dispatcher.failKey(batch, index, error as MemDbError);
        return;
      }
      const sound: number[] = [];
      for (let index = 0; index < keys.length; index++) {
        const value = kind === 'set' ? (values[index] as Value) : '';
        const problem = problemOf(keys[index] as Key) ?? problemOf(value) ?? sizeProblem(value);
        if (problem === undefined) sound.push(index);
        else this.#dispatcher.failKey(batch, index, problem);
      }
      operation.form = Form.batch;
      operation.isWrite = kind === 'set';
      operation.part = new BatchPart(batch, sound, false);
      this.#dispatcher.start(operation);
    });
  }

  /** The one executor of all promises: it leaves their two functions where `#launch` picks them up. */
  readonly #capture = (resolve: (value: never) => void, reject: (error: MemDbError) => void): void => {
    this.#resolve = resolve;
    this.#reject = reject;
  };
}

function noop(): void {}
