import {
  Consistency,
  type CounterAdd,
  counterHash,
  decodeCounterAdd,
  Feature,
  Flag,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameFlags,
  frameOpcode,
  Opcode,
  ProtocolError,
} from '@memdb/protocol';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Replication } from '../replication/replication.js';
import type { Replies, ReplyError, ReplyTarget } from '../replication/replies.js';
import type { RequestLimits } from './client-requests.js';
import {
  BAD_CONSISTENCY,
  KEY_EMPTY,
  keyTooLarge,
  NO_OPTIONS,
  NO_SERIAL,
  NOT_FOUNDED,
  NOT_REPLICA,
} from './request-errors.js';

export interface CounterRequestsOptions {
  readonly replies: Replies;
  readonly telemetry: Telemetry;
  /** Undefined until the cluster is founded. */
  readonly replication: () => Replication | undefined;
  readonly limits: () => RequestLimits;
}

/** What clients ask of counters, and other nodes forward: checks every bound, then hands over to the coordinator. */
export class CounterRequests {
  readonly #options: CounterRequestsOptions;
  readonly #adds: Counter;
  readonly #gets: Counter;

  constructor(options: CounterRequestsOptions) {
    this.#options = options;
    const count = (operation: string): Counter =>
      options.telemetry.counter('operations_total', 'Requests of clients.', { operation });
    this.#adds = count('counterAdd');
    this.#gets = count('counterGet');
  }

  /**
   * A counterAdd or counterGet, to be answered by `deadlineMs`, monotonic. Returns why it is refused before it began;
   * undefined otherwise. Throws `ProtocolError` when it is malformed.
   */
  onRequest(
    target: ReplyTarget,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    deadlineMs: number,
  ): ReplyError | undefined {
    const isAdd = frameOpcode(view, start) === Opcode.counterAdd;
    (isAdd ? this.#adds : this.#gets).value++;
    const body = start + FRAME_HEADER_BYTES;
    if (!isAdd && end - body >= GET_HEADER_BYTES && view.getUint8(body + 1) !== 0) return NO_OPTIONS;
    const add = isAdd ? decodeCounterAdd(view, body, end) : decodeGet(view, body, end);
    const { nameStart, nameLength, consistency } = add;
    const limits = this.#options.limits();
    if (nameLength === 0) return KEY_EMPTY;
    if (nameLength > limits.keyBytesMax) return keyTooLarge(nameLength, limits);
    const replication = this.#options.replication();
    if (replication === undefined) return NOT_FOUNDED;
    if (consistency === Consistency.serial) return NO_SERIAL;
    if (consistency < Consistency.one || consistency > Consistency.all) return BAD_CONSISTENCY;
    const hash = counterHash(bytes, view, nameStart, nameLength, replication.hashSeed);
    const set = replication.sets.ofHash(hash);
    const correlation = frameCorrelation(view, start);
    if (!set.coordinates) {
      if ((frameFlags(view, start) & Flag.forwarded) !== 0) return NOT_REPLICA;
      const owners = replication.sets.preferenceOfHash(hash);
      const opcode = isAdd ? Opcode.counterAdd : Opcode.counterGet;
      const { forwarder } = replication;
      forwarder.forward(target, opcode, correlation, deadlineMs, owners, hash, bytes, body, end, Feature.counters);
      return undefined;
    }
    const { adds, reads } = replication.counters;
    if (isAdd) {
      const { amountHigh, amountLow, subtracts } = add;
      adds.add(
        target,
        correlation,
        consistency,
        deadlineMs,
        set,
        hash,
        bytes,
        view,
        nameStart,
        nameLength,
        amountHigh,
        amountLow,
        subtracts,
      );
      return undefined;
    }
    // One owner, and no change pending: what it holds is that of every quorum.
    const isAlone = set.majority === 1 && set.nextMajority === 0 && set.members.length === 1;
    if (isAlone || consistency === Consistency.one) {
      reads.readHere(target, correlation, deadlineMs, hash, view, nameStart, nameLength);
    } else reads.read(target, correlation, consistency, deadlineMs, hash, bytes, nameStart, nameLength);
    return undefined;
  }
}

const GET_HEADER_BYTES = 4;

/** A counterGet, as an add of nothing. */
function decodeGet(view: DataView, body: number, end: number): CounterAdd {
  const nameLength = end - body < GET_HEADER_BYTES ? -1 : view.getUint16(body + 2, true);
  const nameStart = body + GET_HEADER_BYTES;
  if (nameStart + nameLength !== end) {
    throw new ProtocolError('bad-request', body, `name of ${nameLength} bytes in a body of ${end - body}`);
  }
  return { consistency: view.getUint8(body), subtracts: false, amountHigh: 0, amountLow: 0, nameStart, nameLength };
}
