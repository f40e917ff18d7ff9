import type { MemDbError } from '@memdb/protocol';
import type { Key, Value } from '../options.js';
import type { BatchPart } from './batch.js';
import type { Link } from './link.js';
import type { OperationList } from './operation-list.js';
import type { SpecialRequest } from './special-request.js';

/** What a reply turns into. */
export const Form = {
  text: 0,
  bytes: 1,
  nothing: 2,
  presence: 3,
  quorum: 4,
  batch: 5,
  special: 6,
  topology: 7,
  ping: 8,
} as const;
export type Form = (typeof Form)[keyof typeof Form];

/** Where an operation is. Only `Dispatcher` and `Link` change it. */
export const State = { idle: 0, queued: 1, sent: 2, backingOff: 3 } as const;
export type State = (typeof State)[keyof typeof State];

/**
 * One operation under way. Objects are pooled: a caller's operation costs its promise and nothing else.
 * `key` and `value` are what the caller passed, kept for a retry.
 */
export class Operation {
  /** Place in the pool and in its table of deadlines. */
  readonly index: number;
  state: State = State.idle;
  opcode = 0;
  form: Form = Form.nothing;
  /** Consistency level, or for quorumGet the number of replies, as on the wire. */
  level = 0;
  isWrite = false;
  key: Key = '';
  value: Value = '';
  /** Of a set or setMany: milliseconds until the value expires; 0: never. */
  ttlMs = 0;
  part: BatchPart | undefined = undefined;
  /** Of what is about no key. */
  special: SpecialRequest | undefined = undefined;
  resolve: (value: never) => void = ignore;
  reject: (error: MemDbError) => void = ignore;
  signal: AbortSignal | undefined = undefined;
  onAbort: (() => void) | undefined = undefined;
  deadlineAt = 0;
  timeoutMs = 0;
  hash = 0;
  /** Of a write: its place among the writes called (`WriteOrder`). 0 before the first attempt. */
  sequence = 0;
  /** The connection it was sent on or waits for. */
  link: Link | undefined = undefined;
  /** Of the request that was sent. */
  correlation = 0;
  /** `link.chunks` when it was sent: tells a silent node from a slow answer. */
  heardAt = 0;
  /** Refusals so far; also which replica of the preference list comes next. */
  attempts = 0;
  /** What the last attempt was answered. */
  lastError: MemDbError | undefined = undefined;
  list: OperationList | undefined = undefined;
  previous: Operation | undefined = undefined;
  next: Operation | undefined = undefined;

  constructor(index: number) {
    this.index = index;
  }

  /** Whether it may have done something once it was sent: such a request is never sent again. Not hot. */
  get acts(): boolean {
    return this.isWrite || this.special?.acts === true;
  }

  /** Lets go of everything that belongs to a caller. */
  clear(): void {
    this.state = State.idle;
    this.key = '';
    this.value = '';
    this.ttlMs = 0;
    this.part = undefined;
    this.special = undefined;
    this.resolve = ignore;
    this.reject = ignore;
    this.signal = undefined;
    this.onAbort = undefined;
    this.sequence = 0;
    this.link = undefined;
    this.attempts = 0;
    this.lastError = undefined;
  }
}

function ignore(): void {}
