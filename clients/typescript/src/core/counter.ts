import {
  counterHash,
  decodeCounterValue,
  encodeCounterAdd,
  encodeCounterGet,
  Feature,
  type MemDbError,
  Opcode,
} from '@memdb/protocol';
import type { AddOptions, Key, OperationOptions, ReadOptions } from '../options.js';
import { prefixOf } from './arguments.js';
import { badArgument, keyError } from './failures.js';
import { isSoundKeyLength } from './key-scratch.js';
import { levelOf } from './settings.js';
import type { SpecialRequest } from './special-request.js';

/** Sends a request about a counter. */
export type AskCounter = (request: SpecialRequest, options: OperationOptions | undefined) => Promise<unknown>;

/**
 * One counter, by its name; a key of the same name has nothing to do with it. A counter that nobody added to is 0, and
 * none is ever deleted: subtract. Values and amounts are bigints of 64 bits; what would leave that range is refused as
 * `counter-overflow`.
 *
 * Adds are not repeated once they were sent: an error with outcome `unknown` means that the add may count.
 */
export class Counter {
  readonly #name: Uint8Array;
  readonly #ask: AskCounter;
  readonly #level: number;
  readonly #problem: MemDbError | undefined;

  /** `level`: the consistency of reads that do not name one. */
  constructor(name: Key, level: number, ask: AskCounter) {
    this.#name = prefixOf(name);
    this.#problem = isSoundKeyLength(this.#name.length) ? undefined : keyError(this.#name.length);
    this.#level = level;
    this.#ask = ask;
  }

  /**
   * Adds `amount`. At consistency `one`, the default, the add is durable at one replica when the promise resolves, works as
   * long as one is alive, and reaches the others by itself; `quorum` and `all` wait for more of them.
   *
   * @example await db.counter('hits').add(1n);
   * @example await db.counter('stock').add(12n, { consistency: 'quorum' });
   */
  async add(amount: bigint, options?: AddOptions): Promise<void> {
    if (typeof amount !== 'bigint') throw badArgument(`an amount is a bigint, not ${typeof amount}: write 1n, not 1.`);
    const level = levelOf(options?.consistency ?? 'one');
    const body = encodeCounterAdd(level, this.#soundName(), amount);
    await this.#ask(
      this.#request(Opcode.counterAdd, body, () => true),
      options,
    );
  }

  /** Subtracts `amount`; otherwise as `add`. */
  async subtract(amount: bigint, options?: AddOptions): Promise<void> {
    if (typeof amount !== 'bigint') throw badArgument(`an amount is a bigint, not ${typeof amount}: write 1n, not 1.`);
    return this.add(-amount, options);
  }

  /**
   * The value. At `quorum`, the default of clients, it has all adds that were acknowledged at quorum before, all that any
   * read at quorum has seen, and those of the replicas that answered; at `one` what one replica knows.
   *
   * @example const hits = await db.counter('hits').get();
   */
  async get(options?: ReadOptions): Promise<bigint> {
    const level = options?.consistency === undefined ? this.#level : levelOf(options.consistency);
    const body = encodeCounterGet(level, this.#soundName());
    return (await this.#ask(this.#request(Opcode.counterGet, body, readValue), options)) as bigint;
  }

  #soundName(): Uint8Array {
    if (this.#problem !== undefined) throw this.#problem;
    return this.#name;
  }

  #request(opcode: Opcode, body: Uint8Array, read: SpecialRequest['read']): SpecialRequest {
    const name = this.#name;
    return {
      opcode,
      feature: Feature.counters,
      body,
      acts: opcode === Opcode.counterAdd,
      pick: (routes, attempts) => {
        const view = new DataView(name.buffer, name.byteOffset, name.byteLength);
        return routes.pick(counterHash(name, view, 0, name.length, routes.hashSeed), attempts);
      },
      read,
    };
  }
}

function readValue(_bytes: Uint8Array, view: DataView, start: number, end: number): bigint {
  return decodeCounterValue(view, start, end);
}
