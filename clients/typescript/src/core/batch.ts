import type { MemDbError } from '@memdb/protocol';
import type { Key, Value } from '../options.js';

/** What became of one key of `getMany` or `setMany`: a value (undefined for an absent key), or why there is none. */
export type ManyResult<Result> =
  | { readonly key: Key; readonly value: Result; readonly error: undefined }
  | { readonly key: Key; readonly value: undefined; readonly error: MemDbError };

export type BatchKind = 'text' | 'bytes' | 'set';

/** One `getMany` or `setMany` of a caller: it is done when every key has a result. */
export class Batch {
  readonly kind: BatchKind;
  readonly keys: readonly Key[];
  /** Of a setMany. */
  readonly values: readonly Value[];
  readonly hashes: Uint32Array;
  /** Of a setMany: see `Operation.sequence`. */
  readonly sequences: Uint32Array;
  readonly #results: (ManyResult<unknown> | undefined)[];
  #missing: number;
  readonly #done: (results: ManyResult<unknown>[]) => void;

  constructor(
    kind: BatchKind,
    keys: readonly Key[],
    values: readonly Value[],
    done: (results: ManyResult<unknown>[]) => void,
  ) {
    this.kind = kind;
    this.keys = keys;
    this.values = values;
    this.hashes = new Uint32Array(keys.length);
    this.sequences = new Uint32Array(keys.length);
    this.#results = new Array(keys.length).fill(undefined);
    this.#missing = keys.length;
    this.#done = done;
  }

  succeed(index: number, value: unknown): void {
    this.#settle(index, { key: this.keys[index] as Key, value, error: undefined });
  }

  fail(index: number, error: MemDbError): void {
    this.#settle(index, { key: this.keys[index] as Key, value: undefined, error });
  }

  #settle(index: number, result: ManyResult<unknown>): void {
    if (this.#results[index] !== undefined) throw new Error('invariant: a key of a batch ended twice');
    this.#results[index] = result;
    this.#missing--;
    if (this.#missing === 0) this.#done(this.#results as ManyResult<unknown>[]);
  }
}

/** Keys of a batch that travel together. */
export class BatchPart {
  readonly batch: Batch;
  /** Positions of the keys that have no result yet. */
  indexes: readonly number[];
  /** The node asked for these keys one at a time: their values do not fit into one reply. */
  readonly isAlone: boolean;

  constructor(batch: Batch, indexes: readonly number[], isAlone: boolean) {
    this.batch = batch;
    this.indexes = indexes;
    this.isAlone = isAlone;
  }
}
