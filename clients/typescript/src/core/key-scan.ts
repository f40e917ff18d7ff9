import { Buffer } from 'node:buffer';
import { MemDbError, type ScanPlace, type ScanReply } from '@memdb/protocol';

/** Asks for the page that begins at a place. */
export type AskPage = (place: ScanPlace) => Promise<ScanReply>;

const NO_BYTES = new Uint8Array(0);
const START: ScanPlace = { partition: 0, position: 0, after: NO_BYTES };
const DONE: IteratorResult<never, undefined> = { done: true, value: undefined };

/**
 * The keys of a cluster, one page at a time; made by `db.keys`. It holds one page (about 16 KiB) and the place behind
 * it, and no node holds anything for it between two pages: leaving the loop early costs nothing.
 *
 * After an error `next()` may be called again, and goes on where the scan stood.
 */
export class KeyScan<Key> implements AsyncIterableIterator<Key, undefined> {
  readonly #ask: AskPage;
  readonly #read: (bytes: Uint8Array) => Key;
  #keys: readonly Uint8Array[] = [];
  #index = 0;
  /** Undefined once the last page was asked for. */
  #place: ScanPlace | undefined = START;
  /** Calls to `next` are served one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(ask: AskPage, read: (bytes: Uint8Array) => Key) {
    this.#ask = ask;
    this.#read = read;
  }

  next(): Promise<IteratorResult<Key, undefined>> {
    const result = this.#last.then(
      () => this.#step(),
      () => this.#step(),
    );
    this.#last = result;
    return result;
  }

  /** Ends the scan; called by a `for await` that is left early. */
  async return(): Promise<IteratorResult<Key, undefined>> {
    this.#place = undefined;
    this.#keys = [];
    this.#index = 0;
    return DONE;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #step(): Promise<IteratorResult<Key, undefined>> {
    while (this.#index === this.#keys.length) {
      const place = this.#place;
      if (place === undefined) return DONE;
      const { keys, next } = await this.#ask(place);
      // `return` was called meanwhile.
      if (this.#place === undefined) return DONE;
      if (next !== undefined && !isBehind(next, place)) {
        throw new MemDbError(
          'bad-request',
          'A node answered a scan with a place that is not behind the one asked for.',
        );
      }
      this.#place = next;
      this.#keys = keys;
      this.#index = 0;
    }
    return { done: false, value: this.#read(this.#keys[this.#index++] as Uint8Array) };
  }
}

/** A scan only moves on: a faulty node cannot keep it going for ever. */
function isBehind(next: ScanPlace, place: ScanPlace): boolean {
  const order = next.partition - place.partition || next.position - place.position;
  return order > 0 || (order === 0 && Buffer.compare(next.after, place.after) > 0);
}
