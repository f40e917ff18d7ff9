import type { WireTopology } from '@memdb/protocol';
import {
  BATCH_ITEMS_MAX,
  Consistency,
  decodeSerialRequest,
  encodeTopology,
  Feature,
  Flag,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameCounter,
  frameDeadlineMs,
  frameFlags,
  frameOpcode,
  isClientOperationId,
  keyHash,
  Opcode,
  ProtocolError,
  RequestOption,
  readCounter,
  type SerialRequest,
  TTL_BYTES,
  TTL_MS_MAX,
} from '@memdb/protocol';
import type { LamportClock } from '../model/lamport-clock.js';
import { SLOW_OPERATION_MS } from '../model/limits.js';
import { deadlineAfter } from '../model/record.js';
import type { Clock } from '../ports/clock.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Turn } from '../ports/turn.js';
import { EARLIER_UNANSWERED } from '../replication/forwarder.js';
import type { Replication } from '../replication/replication.js';
import type { Replies, ReplyError, ReplyTarget } from '../replication/replies.js';
import { type SerialTask, serialOperation, serialTask } from '../replication/serial/serial-operation.js';
import { viewOf } from '../storage/view-of.js';
import { isAdminOpcode } from './admin-requests.js';
import type { BackupRequests } from './backup-requests.js';
import { Batch } from './batch.js';
import type { ChangeRequests } from './change-requests.js';
import { CounterRequests } from './counter-requests.js';
import { OperationLatency } from './operation-latency.js';
import {
  ADMINS_ONLY,
  BAD_CONSISTENCY,
  BAD_OPERATION_ID,
  badTtl,
  batchTooLarge,
  CLOCK_AHEAD,
  frameTooLarge,
  KEY_EMPTY,
  keyTooLarge,
  NO_OPTIONS,
  NOT_FOUNDED,
  NOT_REPLICA,
  PEERS_ONLY,
  tooManyInFlight,
  unknownOpcode,
  valueTooLarge,
} from './request-errors.js';

export interface RequestLimits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  readonly inflightMax: number;
  readonly requestTimeoutMs: number;
}

export interface ClientRequestsOptions {
  readonly replies: Replies;
  readonly lamport: LamportClock;
  readonly turn: Turn;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Undefined until the cluster is founded. */
  readonly replication: () => Replication | undefined;
  readonly topology: () => WireTopology | undefined;
  readonly limits: () => RequestLimits;
  /** Why nothing is accepted any more; undefined while the node serves. */
  readonly closing: () => ReplyError | undefined;
  readonly status: () => object;
  readonly backups: BackupRequests;
  readonly changes: ChangeRequests;
}

/** Fixed bytes before the key: consistency, options, key length. */
const KEY_REQUEST_BYTES = 4;

/** What clients ask (and what other nodes forward): checks every bound, then hands over to the coordinator. */
export class ClientRequests {
  readonly #options: ClientRequestsOptions;
  readonly #operations: Counter[] = [];
  readonly #counters: CounterRequests;
  readonly #refused: Counter;
  readonly #latency: OperationLatency;

  constructor(options: ClientRequestsOptions) {
    this.#options = options;
    for (const name of [
      'get',
      'set',
      'delete',
      'contains',
      'quorumGet',
      'getMany',
      'setMany',
      'scan',
      'cas',
      'resolve',
    ] as const) {
      const labels = { operation: name };
      this.#operations[Opcode[name]] = options.telemetry.counter('operations_total', 'Requests of clients.', labels);
    }
    this.#counters = new CounterRequests(options);
    this.#latency = new OperationLatency(options.clock, options.telemetry, SLOW_OPERATION_MS);
    this.#refused = options.telemetry.counter('operations_refused_total', 'Requests refused before they began.');
  }

  /** Requests so far; each item of a batch counts. */
  get begun(): number {
    return this.#operations.reduce((sum, { value }) => sum + value, 0);
  }

  /** One request frame. Throws `ProtocolError` when it is malformed. Hot. */
  onRequest(target: ReplyTarget, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const opcode = frameOpcode(view, start);
    const correlation = frameCorrelation(view, start);
    const { lamport, closing } = this.#options;
    const limits = this.#options.limits();
    target.inflight++;
    if (target.inflight > limits.inflightMax) {
      this.#refuse(target, opcode, correlation, tooManyInFlight(limits.inflightMax));
      return;
    }
    const stopped = closing();
    if (stopped !== undefined) {
      this.#refuse(target, opcode, correlation, stopped);
      return;
    }
    const token = frameCounter(view, start);
    if (!lamport.observeClient(token)) {
      this.#refuse(target, opcode, correlation, CLOCK_AHEAD);
      return;
    }
    const body = start + FRAME_HEADER_BYTES;
    if (isSerialRequest(opcode, view, body, end)) {
      this.#serial(target, opcode, correlation, bytes, view, start, end);
      return;
    }
    switch (opcode) {
      case Opcode.get:
      case Opcode.contains:
      case Opcode.set:
      case Opcode.delete:
      case Opcode.quorumGet: {
        if (end - body < KEY_REQUEST_BYTES) throw new ProtocolError('bad-request', start, 'request is cut');
        const keyLength = view.getUint16(body + 2, true);
        const keyStart = body + KEY_REQUEST_BYTES;
        if (keyStart + keyLength > end || (opcode !== Opcode.set && keyStart + keyLength !== end)) {
          throw new ProtocolError('bad-request', start, `key of ${keyLength} bytes in a body of ${end - body}`);
        }
        let valueStart = keyStart + keyLength;
        let ttlMs = 0;
        const options = view.getUint8(body + 1);
        if (options !== 0) {
          if (options !== RequestOption.ttl || opcode !== Opcode.set) {
            this.#refuse(target, opcode, correlation, NO_OPTIONS);
            return;
          }
          ttlMs = ttlAt(view, valueStart, end);
          valueStart += TTL_BYTES;
          if (!isSoundTtl(ttlMs)) {
            this.#refuse(target, opcode, correlation, badTtl(ttlMs));
            return;
          }
        }
        const forwarded = (frameFlags(view, start) & Flag.forwarded) !== 0;
        this.operate(
          target,
          opcode,
          correlation,
          view.getUint8(body),
          frameDeadlineMs(view, start),
          token,
          forwarded,
          bytes,
          view,
          keyStart,
          keyLength,
          valueStart,
          end - valueStart,
          ttlMs,
        );
        return;
      }
      case Opcode.getMany:
      case Opcode.setMany:
        this.#batch(target, opcode, correlation, frameDeadlineMs(view, start), token, bytes, view, body, end);
        return;
      case Opcode.scan:
        this.#scan(target, correlation, frameDeadlineMs(view, start), bytes, view, body, end);
        return;
      case Opcode.backupOpen:
      case Opcode.backupRead:
      case Opcode.backupClose:
        this.#options.backups.onRequest(target, opcode, correlation, bytes, view, body, end);
        return;
      case Opcode.epochChange:
      case Opcode.epochPreview:
        this.#options.changes.onRequest(target, opcode, correlation, bytes, view, body, end);
        return;
      case Opcode.counterAdd:
      case Opcode.counterGet: {
        const deadlineMs = this.#deadlineMs(frameDeadlineMs(view, start), limits);
        const refusal = this.#counters.onRequest(target, bytes, view, start, end, deadlineMs);
        if (refusal !== undefined) this.#refuse(target, opcode, correlation, refusal);
        return;
      }
      case Opcode.ping:
        this.#options.replies.body(target, opcode, 0, correlation, bytes.subarray(body, end));
        return;
      case Opcode.topology:
        this.#topology(target, correlation);
        return;
      case Opcode.status: {
        const text = Buffer.from(JSON.stringify(this.#options.status()));
        this.#options.replies.body(target, opcode, 0, correlation, text);
        return;
      }
      default:
        this.#refuse(
          target,
          opcode,
          correlation,
          isAdminOpcode(opcode) ? ADMINS_ONLY : isPeerOpcode(opcode) ? PEERS_ONLY : unknownOpcode(opcode),
        );
    }
  }

  /** A request frame too long to be read: `frameBytes` in all. */
  onTooLarge(target: ReplyTarget, view: DataView, start: number, frameBytes: number): void {
    target.inflight++;
    const opcode = frameOpcode(view, start);
    const limits = this.#options.limits();
    const error = opcode === Opcode.set ? valueTooLarge(frameBytes, limits) : frameTooLarge(frameBytes);
    this.#refuse(target, opcode, frameCorrelation(view, start), error);
  }

  /**
   * One operation on one key, alone or as an item of a batch. `selector` is the consistency, or the replies wanted;
   * `ttlMs` is 0 when the value does not expire, and stands in front of it otherwise. Hot.
   */
  operate(
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    selector: number,
    timeoutMs: number,
    token: number,
    forwarded: boolean,
    bytes: Uint8Array,
    view: DataView,
    keyStart: number,
    keyLength: number,
    valueStart: number,
    valueLength: number,
    ttlMs: number,
  ): void {
    const limits = this.#options.limits();
    this.#operations[opcode].value++;
    if (keyLength === 0 || keyLength > limits.keyBytesMax) {
      this.#refuse(target, opcode, correlation, keyLength === 0 ? KEY_EMPTY : keyTooLarge(keyLength, limits));
      return;
    }
    if (valueLength > limits.valueBytesMax) {
      this.#refuse(target, opcode, correlation, valueTooLarge(valueLength, limits));
      return;
    }
    const replication = this.#options.replication();
    if (replication === undefined) {
      this.#refuse(target, opcode, correlation, NOT_FOUNDED);
      return;
    }
    const quorumGet = opcode === Opcode.quorumGet;
    if (!quorumGet && (selector < Consistency.one || selector > Consistency.serial)) {
      this.#refuse(target, opcode, correlation, BAD_CONSISTENCY);
      return;
    }
    const hash = keyHash(bytes, view, keyStart, keyLength, replication.hashSeed);
    if (!quorumGet && selector === Consistency.serial) {
      // Of a batch: its items have no ids, so their coordinator names them.
      const isWrite = opcode === Opcode.set;
      const value = isWrite ? bytes.slice(valueStart, valueStart + valueLength) : undefined;
      const key = bytes.slice(keyStart, keyStart + keyLength);
      const expiresAtMs = ttlMs === 0 ? 0 : deadlineAfter(this.#options.turn.wallMs, ttlMs);
      const task: SerialTask = isWrite ? { kind: 'write', value, expiresAtMs } : { kind: 'read' };
      const deadlineMs = this.#deadlineMs(timeoutMs, limits);
      const operation = serialOperation(task, target, opcode, correlation, deadlineMs, undefined, false);
      replication.serial.submit(operation, key, hash, forwarded);
      return;
    }
    const set = replication.sets.ofHash(hash);
    const deadlineMs = this.#deadlineMs(timeoutMs, limits);
    const path = set.coordinates ? 'coordinated' : 'forwarded';
    const asker = this.#latency.isDue() ? this.#latency.watch(target, opcode, selector, hash, path) : target;
    if (!set.coordinates) {
      if (forwarded) {
        this.#refuse(asker, opcode, correlation, NOT_REPLICA);
        return;
      }
      const write = opcode === Opcode.set || opcode === Opcode.delete;
      if (write && replication.writes.hasPending(hash)) {
        // It was coordinated here before the epoch changed: the later one must not overtake it elsewhere.
        this.#refuse(asker, opcode, correlation, EARLIER_UNANSWERED);
        return;
      }
      const owners = replication.sets.preferenceOfHash(hash);
      const end = valueStart + valueLength;
      const start = keyStart - KEY_REQUEST_BYTES;
      const features = ttlMs === 0 ? 0 : Feature.ttl;
      const { forwarder } = replication;
      forwarder.forward(asker, opcode, correlation, deadlineMs, owners, hash, bytes, start, end, features);
      return;
    }
    if (opcode === Opcode.set || opcode === Opcode.delete) {
      if (replication.forwarder.pending !== 0 && replication.forwarder.isUnderWay(target, hash)) {
        // It was sent to an owner before this node became one: the later one must not overtake it here.
        this.#refuse(asker, opcode, correlation, EARLIER_UNANSWERED);
        return;
      }
      replication.writes.write(
        asker,
        opcode,
        correlation,
        selector,
        deadlineMs,
        token,
        set,
        hash,
        bytes,
        view,
        keyStart,
        keyLength,
        valueStart,
        valueLength,
        ttlMs === 0 ? 0 : deadlineAfter(this.#options.turn.wallMs, ttlMs),
      );
      return;
    }
    // One owner, and no change pending: its version is that of every quorum.
    const isAlone = set.majority === 1 && set.nextMajority === 0;
    if (!quorumGet && (isAlone || selector === Consistency.one)) {
      const { localReads } = replication;
      localReads.read(asker, opcode, correlation, deadlineMs, hash, bytes, view, keyStart, keyLength);
    } else {
      replication.reads.read(asker, opcode, correlation, selector, deadlineMs, hash, bytes, keyStart, keyLength);
    }
  }

  /** A serial operation on one key. Throws `ProtocolError` when it is malformed. */
  #serial(
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void {
    const limits = this.#options.limits();
    this.#operations[opcode].value++;
    const isCas = opcode === Opcode.cas;
    const hasValue = isCas || opcode === Opcode.set;
    const request = decodeSerialRequest(bytes, view, start + FRAME_HEADER_BYTES, end, isCas, hasValue);
    const { key, ttlMs, value, expected } = request;
    const tooLarge = Math.max(value?.length ?? 0, expected?.length ?? 0);
    const replication = this.#options.replication();
    const isForwarded = (frameFlags(view, start) & Flag.forwarded) !== 0;
    if (key.length === 0) this.#refuse(target, opcode, correlation, KEY_EMPTY);
    else if (key.length > limits.keyBytesMax)
      this.#refuse(target, opcode, correlation, keyTooLarge(key.length, limits));
    else if (tooLarge > limits.valueBytesMax)
      this.#refuse(target, opcode, correlation, valueTooLarge(tooLarge, limits));
    else if (ttlMs !== 0 && !isSoundTtl(ttlMs)) this.#refuse(target, opcode, correlation, badTtl(ttlMs));
    else if (replication === undefined) this.#refuse(target, opcode, correlation, NOT_FOUNDED);
    else if (!isForwarded && !isSoundId(opcode, request, frameCounter(view, start))) {
      this.#refuse(target, opcode, correlation, BAD_OPERATION_ID);
    } else {
      const hash = keyHash(key, viewOf(key), 0, key.length, replication.hashSeed);
      const expiresAtMs = ttlMs === 0 ? 0 : deadlineAfter(this.#options.turn.wallMs, ttlMs);
      const task = serialTask(opcode, request, expiresAtMs);
      const deadlineMs = this.#deadlineMs(frameDeadlineMs(view, start), limits);
      const id = task.kind === 'write' || task.kind === 'cas' ? request.id : undefined;
      const operation = serialOperation(task, target, opcode, correlation, deadlineMs, id, request.isRepeated);
      replication.serial.submit(operation, key, hash, isForwarded);
    }
  }

  #batch(
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    timeoutMs: number,
    token: number,
    bytes: Uint8Array,
    view: DataView,
    body: number,
    end: number,
  ): void {
    if (end - body < KEY_REQUEST_BYTES) throw new ProtocolError('bad-request', body, 'batch is cut');
    const count = view.getUint16(body + 2, true);
    if (count > BATCH_ITEMS_MAX) {
      this.#refuse(target, opcode, correlation, batchTooLarge(count));
      return;
    }
    let itemsStart = body + KEY_REQUEST_BYTES;
    let ttlMs = 0;
    const options = view.getUint8(body + 1);
    if (options !== 0) {
      if (options !== RequestOption.ttl || opcode !== Opcode.setMany) {
        this.#refuse(target, opcode, correlation, NO_OPTIONS);
        return;
      }
      ttlMs = ttlAt(view, itemsStart, end);
      itemsStart += TTL_BYTES;
      if (!isSoundTtl(ttlMs)) {
        this.#refuse(target, opcode, correlation, badTtl(ttlMs));
        return;
      }
    }
    this.#operations[opcode].value++;
    const batch = new Batch(this.#options.replies, target, opcode, correlation, count);
    batch.run(this, view.getUint8(body), ttlMs, timeoutMs, token, bytes, view, itemsStart, end);
  }

  #scan(
    target: ReplyTarget,
    correlation: number,
    timeoutMs: number,
    bytes: Uint8Array,
    view: DataView,
    body: number,
    end: number,
  ): void {
    this.#operations[Opcode.scan].value++;
    const replication = this.#options.replication();
    if (replication === undefined) {
      this.#refuse(target, Opcode.scan, correlation, NOT_FOUNDED);
      return;
    }
    const deadlineMs = this.#deadlineMs(timeoutMs, this.#options.limits());
    replication.scans.start(target, correlation, deadlineMs, bytes, view, body, end);
  }

  /** Monotonic milliseconds by which a request is to be answered that has so many left. */
  #deadlineMs(timeoutMs: number, { requestTimeoutMs }: RequestLimits): number {
    const timeout = timeoutMs === 0 || timeoutMs > requestTimeoutMs * 30 ? requestTimeoutMs : timeoutMs;
    return this.#options.turn.nowMs + timeout;
  }

  #topology(target: ReplyTarget, correlation: number): void {
    const topology = this.#options.topology();
    if (topology === undefined) this.#refuse(target, Opcode.topology, correlation, NOT_FOUNDED);
    else this.#options.replies.body(target, Opcode.topology, 0, correlation, encodeTopology(topology));
  }

  #refuse(target: ReplyTarget, opcode: number, correlation: number, error: ReplyError): void {
    this.#refused.value++;
    this.#options.replies.error(target, opcode, correlation, error);
  }
}

/** Whether it is on one key, at consistency `serial`. */
function isSerialRequest(opcode: number, view: DataView, body: number, end: number): boolean {
  if (opcode === Opcode.cas || opcode === Opcode.resolve) return true;
  const isOnKey = opcode >= Opcode.get && opcode <= Opcode.contains;
  return isOnKey && end > body && view.getUint8(body) === Consistency.serial;
}

/** What changes a key is named by its client, and resolve names what it asks about; the frame's counter is not below it. */
function isSoundId(opcode: number, { id }: SerialRequest, counter: number): boolean {
  if (opcode === Opcode.get || opcode === Opcode.contains) return id === undefined;
  return id !== undefined && isClientOperationId(id) && id.sequence <= counter;
}

/** Whether only nodes may send this. */
function isPeerOpcode(opcode: number): boolean {
  if (opcode === Opcode.counterEntries || opcode === Opcode.counterMerge) return true;
  const isRound = opcode >= Opcode.serialRead && opcode <= Opcode.serialAccept;
  return isRound || (opcode >= Opcode.heartbeat && opcode <= Opcode.announceEpoch);
}

/** The time to live in front of a value, or of the items of a batch. */
function ttlAt(view: DataView, at: number, end: number): number {
  if (end - at < TTL_BYTES) throw new ProtocolError('bad-request', at, 'time to live is cut');
  return readCounter(view, at);
}

function isSoundTtl(ttlMs: number): boolean {
  return ttlMs >= 1 && ttlMs <= TTL_MS_MAX;
}
