import { decodeErrorBody, Feature, Flag, FRAME_HEADER_BYTES, type MemDbError } from '@memdb/protocol';
import { type Batch, BatchPart } from './batch.js';
import { Batches } from './batches.js';
import type { DispatcherContext } from './dispatcher-context.js';
import {
  abortedError,
  gaveUpError,
  keyError,
  lostRequestError,
  noTtlError,
  queueFullError,
  silentNodeError,
  timeoutError,
  unreachableError,
} from './failures.js';
import { isSoundKeyLength, type KeyScratch } from './key-scratch.js';
import type { Link } from './link.js';
import { Form, type Operation, State } from './operation.js';
import { OperationList } from './operation-list.js';
import { OperationPool } from './operation-pool.js';
import { readReply } from './reply-reader.js';
import { retryDelayMs } from './retry-policy.js';
import type { Routes } from './routes.js';
import { routeSpecial } from './special-request.js';
import type { Statistics } from './statistics.js';
import { Turn } from './turn.js';
import { Watch } from './watch.js';
import { WriteOrder } from './write-order.js';

/**
 * Takes every operation from its call to its end: route, send or queue, retry where that is safe, give up at the
 * deadline. The rule that nothing here may break: **a plain write that was sent is never sent again, unless it was
 * answered `not-applied`** (a late first copy could shadow somebody else's newer write).
 */
export class Dispatcher {
  /** Undefined until the first topology came. */
  routes: Routes | undefined = undefined;
  readonly turn: Turn;
  readonly #context: DispatcherContext;
  readonly #scratch: KeyScratch;
  readonly #statistics: Statistics;
  readonly #pool: OperationPool = new OperationPool();
  readonly #watch: Watch;
  readonly #order: WriteOrder = new WriteOrder();
  readonly #batches: Batches;
  /** Operations for which no node is connected. */
  readonly #waiting: OperationList = new OperationList();
  #queued = 0;
  /** Operations under way that no caller waits for. */
  #internal = 0;
  #whenIdle: (() => void) | undefined = undefined;

  constructor(context: DispatcherContext) {
    const { clock, timers } = context.ports;
    this.#context = context;
    this.#scratch = context.scratch;
    this.#statistics = context.statistics;
    this.turn = new Turn(clock, timers);
    this.#watch = new Watch(this.#pool, this.turn, timers, (operation, nowMs) => this.#due(operation, nowMs));
    this.#batches = new Batches(this, context.scratch, this.#order);
  }

  /** Operations waiting for a connection or for room on one. */
  get queued(): number {
    return this.#queued;
  }

  /** Operations that were called and have not ended. */
  get live(): number {
    return this.#pool.live - this.#internal;
  }

  /** A fresh operation, to be filled in and passed to `start`. */
  take(): Operation {
    return this.#pool.take();
  }

  start(operation: Operation): void {
    operation.deadlineAt = this.turn.nowMs() + operation.timeoutMs;
    this.#watch.follow(operation);
    if (operation.signal !== undefined) this.#listen(operation, operation.signal);
    this.dispatch(operation);
  }

  /** Sends a request of the client's own (topology, ping) on this very connection. It is not retried. */
  startOn(link: Link, operation: Operation): void {
    this.#internal++;
    operation.deadlineAt = this.turn.nowMs() + operation.timeoutMs;
    this.#watch.follow(operation);
    operation.link = link;
    operation.state = State.sent;
    this.#scratch.load('');
    link.request(operation, this.turn.nowMs());
  }

  /** Routes an operation and sends or queues it. Hot for operations on one key. */
  dispatch(operation: Operation): void {
    if (operation.part !== undefined) {
      this.#batches.scatter(operation, operation.part);
      return;
    }
    if (operation.special !== undefined) {
      routeSpecial(this, operation, operation.special);
      return;
    }
    const keyLength = this.#scratch.load(operation.key);
    if (!isSoundKeyLength(keyLength)) {
      this.fail(operation, keyError(keyLength));
      return;
    }
    const routes = this.routes;
    if (routes === undefined) {
      this.park(operation);
      return;
    }
    const hash = this.#scratch.hash(routes.hashSeed);
    let link: Link | undefined;
    if (operation.isWrite) {
      operation.hash = hash;
      if (operation.sequence === 0) operation.sequence = this.#order.begin(hash);
      else if (operation.lastError !== undefined && !this.#order.isLast(hash, operation.sequence)) {
        this.fail(operation, operation.lastError);
        return;
      }
      link = this.#order.linkInUse(hash);
    }
    link ??= routes.pick(hash, operation.attempts);
    if (link === undefined) {
      this.park(operation);
      return;
    }
    if (operation.isWrite) this.#order.bind(hash, link);
    this.sendOrQueue(operation, link);
  }

  /** The key of `operation`, unless it is a batch, is in the scratch. */
  sendOrQueue(operation: Operation, link: Link): void {
    operation.link = link;
    if (operation.ttlMs !== 0 && !link.hasFeature(Feature.ttl)) {
      this.fail(operation, noTtlError(link.node));
      return;
    }
    if (link.hasRoom && link.queue.length === 0) {
      operation.state = State.sent;
      link.request(operation, this.turn.nowMs());
    } else this.#enqueue(operation, link.queue);
  }

  /** No node is connected: waits for one until the deadline. */
  park(operation: Operation): void {
    this.#enqueue(operation, this.#waiting);
  }

  /** A connection takes requests now: sends what had waited for one. */
  unpark(): void {
    for (let count = this.#waiting.length; count > 0; count--) {
      const operation = this.#waiting.shift();
      if (operation === undefined) return;
      this.#queued--;
      this.dispatch(operation);
    }
  }

  /** Room appeared on a connection: sends what had waited for it. */
  pump(link: Link): void {
    while (link.hasRoom) {
      const operation = link.queue.shift();
      if (operation === undefined) return;
      this.#queued--;
      if (operation.part === undefined) this.#scratch.load(operation.key);
      operation.state = State.sent;
      link.request(operation, this.turn.nowMs());
    }
  }

  /**
   * The reply frame `bytes[frame, end)` to `operation`, which no longer waits on its connection. Throws ProtocolError
   * when the body makes no sense, before anything of it was used; the caller closes the connection then.
   */
  reply(
    operation: Operation,
    link: Link,
    bytes: Uint8Array,
    view: DataView,
    frame: number,
    end: number,
    flags: number,
  ): void {
    if ((flags & Flag.error) !== 0) {
      this.#refused(operation, link, decodeErrorBody(bytes, view, frame + FRAME_HEADER_BYTES, end));
      return;
    }
    if (operation.part !== undefined) {
      const refusal = this.#batches.gather(operation, operation.part, bytes, view, frame, end, flags);
      if (refusal === undefined) this.retire(operation);
      else this.#refused(operation, link, refusal);
      return;
    }
    const { form, special } = operation;
    const value =
      special?.read(bytes, view, frame + FRAME_HEADER_BYTES, end) ?? readReply(form, bytes, view, frame, end, flags);
    const resolve = operation.resolve;
    if (operation.form < Form.topology) this.#statistics.succeeded++;
    this.retire(operation);
    resolve(value as never);
  }

  /** A connection is gone: `sent` were waiting for replies on it, `unsent` for their turn. */
  connectionLost(sent: readonly Operation[], unsent: readonly Operation[], error: MemDbError): void {
    // All are taken off first: a write that is routed again must not follow one that is still bound to this connection.
    for (const operation of unsent) {
      this.#queued--;
      this.unbind(operation);
    }
    for (const operation of sent) this.unbind(operation);
    for (const operation of sent) this.#lost(operation, error);
    for (const operation of unsent) this.dispatch(operation);
  }

  fail(operation: Operation, error: MemDbError): void {
    const reject = operation.reject;
    const part = operation.part;
    if (part === undefined && operation.form < Form.topology) this.#count(error);
    this.retire(operation);
    if (part === undefined) reject(error);
    else for (const index of part.indexes) this.failKey(part.batch, index, error);
  }

  /** One key of a batch succeeded. */
  succeedKey(batch: Batch, index: number, value: unknown): void {
    this.#statistics.succeeded++;
    batch.succeed(index, value);
  }

  /** One key of a batch failed. */
  failKey(batch: Batch, index: number, error: MemDbError): void {
    this.#count(error);
    batch.fail(index, error);
  }

  /** An operation like `operation`, with its deadline and signal, for some keys of its batch. */
  fork(operation: Operation, part: BatchPart): Operation {
    const fork = this.#pool.take();
    fork.opcode = operation.opcode;
    fork.form = operation.form;
    fork.level = operation.level;
    fork.isWrite = operation.isWrite;
    fork.ttlMs = operation.ttlMs;
    fork.timeoutMs = operation.timeoutMs;
    fork.deadlineAt = operation.deadlineAt;
    fork.attempts = operation.attempts;
    fork.lastError = operation.lastError;
    fork.signal = operation.signal;
    fork.part = part;
    if (fork.signal !== undefined) this.#listen(fork, fork.signal);
    this.#watch.follow(fork);
    return fork;
  }

  /** Takes an operation off the connection it was bound to. */
  unbind(operation: Operation): void {
    if (operation.link === undefined) return;
    operation.link = undefined;
    if (!operation.isWrite) return;
    if (operation.part === undefined) this.#order.unbind(operation.hash);
    else for (const index of operation.part.indexes) this.#order.unbind(operation.part.batch.hashes[index] as number);
  }

  /** No operation will come any more. */
  stop(): void {
    this.#watch.stop();
  }

  /** Calls `callback` as soon as no operation is under way. */
  whenIdle(callback: () => void): void {
    if (this.live === 0) callback();
    else this.#whenIdle = callback;
  }

  #enqueue(operation: Operation, list: OperationList): void {
    if (this.#queued >= this.#context.settings.maxQueued) {
      this.fail(operation, queueFullError(this.#context.settings.maxQueued));
      return;
    }
    operation.state = State.queued;
    this.#queued++;
    list.push(operation);
  }

  #refused(operation: Operation, link: Link, error: MemDbError): void {
    const part = operation.part;
    if (part !== undefined && !part.isAlone && (error.code === 'batch-too-large' || error.code === 'frame-too-large')) {
      this.unbind(operation);
      operation.part = new BatchPart(part.batch, part.indexes, true);
      this.dispatch(operation);
      return;
    }
    if (error.code === 'shutting-down') link.drain();
    if (error.code === 'wrong-epoch' || error.code === 'not-replica') this.#context.onStaleTopology(link);
    const delayMs = retryDelayMs(operation, error, this.routes?.replicas ?? 1, this.#context.ports.random);
    if (delayMs === undefined) this.fail(operation, error);
    else this.#retry(operation, error, delayMs);
  }

  #retry(operation: Operation, error: MemDbError, delayMs: number): void {
    const nowMs = this.turn.nowMs();
    this.unbind(operation);
    operation.lastError = error;
    operation.attempts++;
    if (nowMs + delayMs >= operation.deadlineAt) {
      this.fail(operation, gaveUpError(error, operation.attempts, operation.timeoutMs));
      return;
    }
    this.#statistics.retries++;
    if (delayMs === 0) {
      this.#watch.follow(operation);
      this.dispatch(operation);
      return;
    }
    operation.state = State.backingOff;
    this.#watch.at(operation, nowMs + delayMs);
  }

  /** The connection went away under a request that was sent. */
  #lost(operation: Operation, error: MemDbError): void {
    const lost = lostRequestError(operation, error);
    if (operation.acts || operation.form >= Form.topology) this.fail(operation, lost);
    else this.#retry(operation, lost, 0);
  }

  #due(operation: Operation, nowMs: number): void {
    if (nowMs >= operation.deadlineAt) {
      this.#expire(operation);
      return;
    }
    if (operation.state === State.backingOff) {
      this.#watch.follow(operation);
      this.dispatch(operation);
      return;
    }
    this.#watch.follow(operation);
    const link = operation.link;
    if (operation.state !== State.sent || link === undefined || link.chunks !== operation.heardAt) return;
    link.isSilent = true;
    if (operation.acts || operation.form >= Form.topology) return;
    const other = this.routes?.any();
    if (other === undefined || other.isSilent) return;
    link.abandon(operation);
    this.#retry(operation, silentNodeError(link.address), 0);
  }

  #expire(operation: Operation): void {
    if (operation.state === State.sent) {
      operation.link?.abandon(operation);
      this.fail(operation, timeoutError(operation, true));
    } else if (operation.lastError !== undefined) {
      this.fail(operation, gaveUpError(operation.lastError, operation.attempts, operation.timeoutMs));
    } else if (operation.list === this.#waiting) {
      this.fail(operation, unreachableError(operation.timeoutMs, this.#context.unreachableReason()));
    } else this.fail(operation, timeoutError(operation, false));
  }

  #abort(operation: Operation): void {
    const isSent = operation.state === State.sent;
    const error = abortedError(operation, isSent);
    if (isSent) operation.link?.abandon(operation);
    this.fail(operation, error);
  }

  #listen(operation: Operation, signal: AbortSignal): void {
    operation.onAbort = (): void => this.#abort(operation);
    signal.addEventListener('abort', operation.onAbort, { once: true });
  }

  #count(error: MemDbError): void {
    if (error.outcome === 'unknown') this.#statistics.unknown++;
    else this.#statistics.notApplied++;
  }

  /** The end of an operation: it has been answered, or others have taken its work over. */
  retire(operation: Operation): void {
    if (operation.list !== undefined) {
      operation.list.remove(operation);
      this.#queued--;
    }
    this.unbind(operation);
    if (operation.onAbort !== undefined) operation.signal?.removeEventListener('abort', operation.onAbort);
    if (operation.form >= Form.topology) this.#internal--;
    this.#pool.give(operation);
    if (this.#whenIdle !== undefined && this.live === 0) {
      const callback = this.#whenIdle;
      this.#whenIdle = undefined;
      callback();
    }
  }
}
