import { keyHash, SerialContent, type SerialState } from '@memdb/protocol';
import { kindOf, RECORD_HEADER_BYTES, RecordKind, recordKeyLength, recordKindLength } from '../model/record.js';
import { kindOfContent, relay, stream, streamPlain } from '../model/serial-acceptor.js';
import { type Catalog, Verdict } from './catalog.js';
import { type SerialStates, stateAt } from './serial-states.js';

/**
 * Takes in what another replica knows of a serial key. It is no copy of bytes: what this acceptor promised stays its own
 * (mechanisms: Consensus on a key).
 */
export class SerialIntake {
  readonly #catalog: Catalog;
  readonly #states: SerialStates;

  constructor(catalog: Catalog, states: SerialStates) {
    this.#catalog = catalog;
    this.#states = states;
  }

  /** Whether a record must come in through here: a serial one, or any for a joining owner's bare promise. Hot. */
  concerns(bytes: Uint8Array, view: DataView, at: number, isJoining: boolean): boolean {
    const kind = kindOf(recordKindLength(view, at));
    if (kind === RecordKind.serial) return true;
    if (!isJoining || kind === RecordKind.counterEntry || this.#catalog.serialKeys === 0) return false;
    const { keyStart, keyLength, hash } = this.#keyAt(bytes, view, at);
    return this.#states.read(hash, view, keyStart, keyLength).promised.counter !== 0;
  }

  /** The verified record at `at` of a run from another replica; `isJoining`: it is streamed to an owner of a pending epoch. */
  take(bytes: Uint8Array, view: DataView, at: number, isJoining: boolean): void {
    const { keyStart, keyLength, hash } = this.#keyAt(bytes, view, at);
    this.takeState(hash, bytes, view, keyStart, keyLength, stateAt({ bytes, view }, at), isJoining);
  }

  /** As `take`, of a state that travels alone; the key is `bytes[keyStart, +keyLength)`. */
  takeState(
    hash: number,
    bytes: Uint8Array,
    view: DataView,
    keyStart: number,
    keyLength: number,
    copy: SerialState,
    isJoining: boolean,
  ): void {
    const own = this.#states.read(hash, view, keyStart, keyLength);
    if (copy.accepted.counter !== 0) {
      const next = isJoining ? stream(own, copy) : relay(own, copy);
      if (next !== undefined) this.#states.keep(hash, bytes, keyStart, keyLength, next);
      return;
    }
    // Nothing was accepted there: what counts is the plain version under the promise.
    if (copy.content === SerialContent.never) return;
    if (own.promised.counter === 0) {
      if (this.#isNewer(hash, view, keyStart, keyLength, copy)) {
        this.#states.keepPlain(hash, bytes, keyStart, keyLength, copy);
      }
      return;
    }
    const next = isJoining ? streamPlain(own, copy) : undefined;
    if (next !== undefined) this.#states.keep(hash, bytes, keyStart, keyLength, next);
  }

  #isNewer(hash: number, view: DataView, keyStart: number, keyLength: number, plain: SerialState): boolean {
    const { counter, node } = plain.stamp;
    const kind = kindOfContent(plain.content);
    return this.#catalog.judge(hash, view, keyStart, keyLength, kind, counter, node) === Verdict.newest;
  }

  #keyAt(bytes: Uint8Array, view: DataView, at: number): { keyStart: number; keyLength: number; hash: number } {
    const keyStart = at + RECORD_HEADER_BYTES;
    const keyLength = recordKeyLength(view, at);
    return { keyStart, keyLength, hash: keyHash(bytes, view, keyStart, keyLength, this.#catalog.hashSeed) };
  }
}
