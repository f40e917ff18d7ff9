import {
  compareBallots,
  copyBytes,
  decodeSerialState,
  encodeSerialState,
  FRESH_SERIAL_STATE,
  NO_BALLOT,
  SerialContent,
  type SerialState,
} from '@memdb/protocol';
import {
  expiryBytes,
  kindOf,
  lengthOf,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordBytes,
  recordCounter,
  recordExpiresAtMs,
  recordKeyLength,
  recordKindLength,
  recordNode,
} from '../model/record.js';
import type { AppendVersion } from './append-version.js';
import type { Catalog } from './catalog.js';
import type { Segment } from './segment.js';
import { viewOf } from './view-of.js';

/**
 * What this node's acceptor knows of each key, kept in the log like any version (mechanisms: Consensus on a key).
 *
 * Invariants, asserted: a promise never regresses, and one ballot of one key has one content.
 */
export class SerialStates {
  readonly #catalog: Catalog;
  readonly #append: AppendVersion;

  constructor(catalog: Catalog, append: AppendVersion) {
    this.#catalog = catalog;
    this.#append = append;
  }

  /** Keys that are serial, and those of them that have no value and stay nevertheless. */
  get keys(): number {
    return this.#catalog.serialKeys;
  }
  get tombstones(): number {
    return this.#catalog.serialTombstones;
  }

  /**
   * The state of the key `view[keyStart, +keyLength)`. Of a plain key it is one that promised nothing, with the plain version
   * as its content; of a key that is not held, with the floor of its partition as the stamp.
   */
  read(hash: number, view: DataView, keyStart: number, keyLength: number): SerialState {
    const { index, segments, floors } = this.#catalog;
    const location = index.find(hash, view, keyStart, keyLength, false);
    if (location !== 0) return stateAt(segments.segmentAt(location), segments.offsetAt(location));
    const partition = index.foundPartition;
    const stamp = { counter: floors.counters[partition], node: floors.nodes[partition] };
    return { ...FRESH_SERIAL_STATE, stamp };
  }

  /** Bytes that the record of such a state takes: to be asked of `Store.room` before `keep`. */
  bytesOf(keyLength: number, state: SerialState): number {
    return recordBytes(keyLength, encodeSerialState(state).length);
  }

  /** Appends the state that follows; returns its LSN. The key is `bytes[keyStart, +keyLength)`. */
  keep(hash: number, bytes: Uint8Array, keyStart: number, keyLength: number, next: SerialState): number {
    const held = this.read(hash, viewOf(bytes), keyStart, keyLength);
    if (compareBallots(next.promised, held.promised) < 0) {
      throw new Error(`a promise of ballot ${next.promised.counter} replaces that of ${held.promised.counter}`);
    }
    if (compareBallots(next.accepted, held.accepted) < 0) {
      throw new Error(`ballot ${next.accepted.counter} was accepted after ${held.accepted.counter}`);
    }
    if (held.accepted.counter !== 0 && compareBallots(next.accepted, held.accepted) === 0 && !isSame(next, held)) {
      throw new Error(`ballot ${next.accepted.counter}/${next.accepted.node} has two values`);
    }
    // What was never written has no stamp of its own: the floor is the partition's.
    const state = next.content === SerialContent.never ? { ...next, stamp: NO_BALLOT } : next;
    const body = encodeSerialState(state);
    const { counter, node } = state.accepted;
    return this.#append(RecordKind.serial, counter, node, hash, bytes, keyStart, keyLength, body, 0, body.length, 0);
  }

  /** Takes in a plain version that is newer than what is held. */
  keepPlain(hash: number, bytes: Uint8Array, keyStart: number, keyLength: number, plain: SerialState): void {
    const { content, stamp, value, expiresAtMs } = plain;
    const kind = content === SerialContent.value ? RecordKind.value : RecordKind.tombstone;
    const { counter, node } = stamp;
    this.#append(kind, counter, node, hash, bytes, keyStart, keyLength, value, 0, value.length, expiresAtMs);
  }
}

/** The state that a record stands for, a plain version being one that promised nothing; its value is a copy. */
export function stateAt({ bytes, view }: Pick<Segment, 'bytes' | 'view'>, offset: number): SerialState {
  const kindLength = recordKindLength(view, offset);
  const kind = kindOf(kindLength);
  const end = offset + lengthOf(kindLength);
  const counter = recordCounter(view, offset);
  const node = recordNode(view, offset);
  const body = offset + RECORD_HEADER_BYTES + recordKeyLength(view, offset);
  if (kind === RecordKind.serial) return decodeSerialState(bytes, view, body, end, counter, node);
  const expiresAtMs = recordExpiresAtMs(view, offset);
  const valueStart = body + expiryBytes(expiresAtMs);
  const isValue = kind === RecordKind.value;
  const value = new Uint8Array(isValue ? end - valueStart : 0);
  if (isValue) copyBytes(value, viewOf(value), 0, bytes, view, valueStart, value.length);
  const content = isValue ? SerialContent.value : SerialContent.tombstone;
  return { ...FRESH_SERIAL_STATE, content, stamp: { counter, node }, expiresAtMs, value };
}

/** Whether two states of one ballot are one proposal: what was promised with it does not matter. */
function isSame(one: SerialState, other: SerialState): boolean {
  const strip = (state: SerialState): Uint8Array =>
    encodeSerialState({ ...state, promised: state.accepted, isVote: true });
  return Buffer.compare(strip(one), strip(other)) === 0;
}
