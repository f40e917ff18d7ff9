import {
  BALLOT_BYTES,
  copyBytes,
  decodeSerialState,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameCounter,
  HELD_TOMBSTONE,
  keyHash,
  Opcode,
  ProtocolError,
  readCounter,
  VERSION_EXPIRES,
  VERSION_HEADER_BYTES,
  VersionKind,
  writeStamp,
} from '@memdb/protocol';
import { recordHash } from '../model/counter-entry.js';
import {
  EXPIRY_BYTES,
  expiryBytes,
  isDeadline,
  isEntryShape,
  RECORD_HEADER_BYTES,
  RecordKind,
  readDeadline,
  recordBytes,
  writeDeadline,
} from '../model/record.js';
import { compareVersions } from '../model/version-order.js';
import type { Store } from '../storage/store.js';
import type { HeldReplies } from './held-replies.js';
import { KEY_LOST, type Replies, type ReplyError, type ReplyTarget } from './replies.js';
import { SERIAL_KEY } from './serial/serial-errors.js';

/** Answers what coordinators ask of this node as one replica: its version of a key, and to take a newer one. */
export class Replica {
  readonly #store: Store;
  readonly #replies: Replies;
  readonly #held: HeldReplies;
  readonly #hashSeed: number;
  /** A version with a stamp of `node` was stored for somebody else. */
  onStored: (node: number) => void = () => {};

  constructor(store: Store, replies: Replies, held: HeldReplies, hashSeed: number) {
    this.#hashSeed = hashSeed;
    this.#store = store;
    this.#replies = replies;
    this.#held = held;
  }

  /** readVersion: this replica's version, or that it is the one the asker holds. Hot. */
  readVersion(target: ReplyTarget, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const body = start + FRAME_HEADER_BYTES;
    const keyLength = checkedKeyLength(view, body, end, true);
    const keyStart = body + VERSION_HEADER_BYTES;
    const store = this.#store;
    const hash = keyHash(bytes, view, keyStart, keyLength, this.#hashSeed);
    const has = store.lookup(hash, bytes, view, keyStart, keyLength);
    const { found } = store;
    if (found.lost) {
      this.#replies.error(target, Opcode.readVersion, frameCorrelation(view, start), KEY_LOST);
      return;
    }
    if (has && found.serial) {
      this.#replies.error(target, Opcode.readVersion, frameCorrelation(view, start), SERIAL_KEY);
      return;
    }
    let kind: number = VersionKind.never;
    let valueLength = 0;
    let expiry = 0;
    if (has) {
      const asked = compareVersions(
        found.counter,
        found.node,
        found.kind,
        readCounter(view, body + 4),
        view.getUint16(body + 12, true),
        view.getUint8(body) === HELD_TOMBSTONE ? RecordKind.tombstone : RecordKind.value,
      );
      if (asked === 0) kind = VersionKind.same;
      else if (found.kind === RecordKind.tombstone) kind = VersionKind.tombstone;
      else {
        if (!store.audit.isSound(found)) {
          // Damage is never sent as good. It was repaired just now, or the key is lost here.
          this.readVersion(target, bytes, view, start, end);
          return;
        }
        kind = VersionKind.value;
        valueLength = found.valueLength;
        // Expired or not: the coordinator judges, and what it writes back is the whole version.
        expiry = expiryBytes(found.expiresAtMs);
      }
    }
    const correlation = frameCorrelation(view, start);
    const bodyBytes = VERSION_HEADER_BYTES + expiry + valueLength;
    const durable = !has || found.durable;
    const at = durable
      ? this.#replies.begin(target, Opcode.readVersion, 0, correlation, bodyBytes)
      : this.#held.begin(
          store.lastLsn,
          Number.POSITIVE_INFINITY,
          target,
          Opcode.readVersion,
          0,
          correlation,
          bodyBytes,
        );
    const out = durable ? target.out : this.#held.out;
    out.view.setUint32(at, expiry === 0 ? kind : kind | (VERSION_EXPIRES << 8), true);
    writeStamp(out.view, at + 4, found.counter, found.node);
    if (expiry !== 0) writeDeadline(out.view, at + VERSION_HEADER_BYTES, found.expiresAtMs);
    const valueAt = at + VERSION_HEADER_BYTES + expiry;
    if (valueLength > 0)
      copyBytes(out.bytes, out.view, valueAt, found.bytes, found.view, found.valueStart, valueLength);
  }

  /** repair: stores a version unless one at least as new is held; answered once that one is durable. */
  repair(target: ReplyTarget, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const body = start + FRAME_HEADER_BYTES;
    const keyLength = checkedKeyLength(view, body, end, false);
    const kind = view.getUint8(body);
    if (kind === RecordKind.serial) {
      this.#repairSerial(target, bytes, view, start, end, keyLength);
      return;
    }
    const isPlain = kind === RecordKind.value || kind === RecordKind.tombstone;
    if (!isPlain && kind !== RecordKind.counterEntry)
      throw new ProtocolError('bad-request', body, `repair of record kind ${kind}`);
    const keyStart = body + VERSION_HEADER_BYTES;
    const keyEnd = keyStart + keyLength;
    const expiresAtMs = versionDeadline(view, body, keyEnd, end, kind === RecordKind.value);
    const valueStart = keyEnd + expiryBytes(expiresAtMs);
    const correlation = frameCorrelation(view, start);
    const counter = readCounter(view, body + 4);
    // Checksums end where a log does. The sender's clock has passed every stamp that it speaks of, and is below 2^53.
    if (counter > frameCounter(view, start)) {
      throw new ProtocolError('bad-request', body, `repair with counter ${counter} above the sender's clock`);
    }
    const node = view.getUint16(body + 12, true);
    if (kind === RecordKind.counterEntry && !isEntryShape(view, keyStart, keyLength, node, end - valueStart)) {
      throw new ProtocolError('bad-request', body, `repair with a counter entry of ${keyLength} bytes by node ${node}`);
    }
    const stored = this.store(
      kind,
      counter,
      node,
      bytes,
      view,
      keyStart,
      keyLength,
      valueStart,
      end - valueStart,
      expiresAtMs,
    );
    if (stored === 'serial') this.#replies.error(target, Opcode.repair, correlation, SERIAL_KEY);
    else if (stored === 'full') this.#replies.error(target, Opcode.repair, correlation, NO_LOG_ROOM);
    else if (this.#store.lastLsn <= this.#store.durableLsn) {
      this.#replies.begin(target, Opcode.repair, 0, correlation, 0);
    } else this.#held.begin(this.#store.lastLsn, Number.POSITIVE_INFINITY, target, Opcode.repair, 0, correlation, 0);
  }

  /** Keeps a version unless one at least as new is held, or its key is serial here. */
  store(
    kind: number,
    counter: number,
    node: number,
    bytes: Uint8Array,
    view: DataView,
    keyStart: number,
    keyLength: number,
    valueStart: number,
    valueLength: number,
    expiresAtMs: number,
  ): Stored {
    const store = this.#store;
    const hash = recordHash(kind, bytes, view, keyStart, keyLength, this.#hashSeed);
    if (kind === RecordKind.counterEntry) {
      if (store.room(recordBytes(keyLength, valueLength), RecordKind.tombstone) !== 'ok') return 'full';
      if (store.entries.mergeRecord(hash, bytes, view, keyStart, keyLength, counter, node)) this.onStored(node);
      return 'stored';
    }
    const has = store.lookup(hash, bytes, view, keyStart, keyLength);
    const { found } = store;
    // An absent key counts as deleted at the floor.
    if (has && found.serial) return 'serial';
    const heldKind = has ? found.kind : RecordKind.tombstone;
    if (compareVersions(found.counter, found.node, heldKind, counter, node, kind) >= 0) return 'stored';
    // Repair passes the memory limit, as a tombstone does: it only restores what was acknowledged.
    const size = RECORD_HEADER_BYTES + keyLength + expiryBytes(expiresAtMs) + valueLength;
    const room = store.room(size, RecordKind.tombstone);
    if (room !== 'ok') return 'full';
    store.append(kind, counter, node, hash, bytes, keyStart, keyLength, bytes, valueStart, valueLength, expiresAtMs);
    this.onStored(node);
    return 'stored';
  }

  /** The state of a serial key, as an owner that leaves it hands it over: kept as what is streamed to one that joins. */
  #repairSerial(
    target: ReplyTarget,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    keyLength: number,
  ): void {
    const body = start + FRAME_HEADER_BYTES;
    const keyStart = body + VERSION_HEADER_BYTES;
    const copy = decodeSerialState(
      bytes,
      view,
      keyStart + keyLength,
      end,
      readCounter(view, body + 4),
      view.getUint16(body + 12, true),
    );
    const store = this.#store;
    const key = Uint8Array.prototype.slice.call(bytes, keyStart, keyStart + keyLength);
    const correlation = frameCorrelation(view, start);
    if (store.room(store.serial.bytesOf(keyLength, copy) + BALLOT_BYTES, RecordKind.tombstone) !== 'ok') {
      this.#replies.error(target, Opcode.repair, correlation, NO_LOG_ROOM);
      return;
    }
    store.takeSerial(keyHash(bytes, view, keyStart, keyLength, this.#hashSeed), key, copy, true);
    store.whenSynced(() => this.#replies.body(target, Opcode.repair, 0, correlation, NO_BYTES));
  }
}

/** What became of a version that was to be kept. */
export type Stored = 'stored' | 'full' | 'serial';

const NO_BYTES = new Uint8Array(0);
const NO_LOG_ROOM: ReplyError = {
  code: 'overloaded',
  outcome: 'not-applied',
  message: 'no room in the log of this node',
};

/**
 * The deadline that a version frame carries at `at`, in front of its value; 0 when its options say that there is none.
 * Throws `ProtocolError` when the options are unknown, or make no sense for what the version is.
 */
export function versionDeadline(view: DataView, body: number, at: number, end: number, isValue: boolean): number {
  const options = view.getUint8(body + 1);
  if (options === 0) return 0;
  if (options !== VERSION_EXPIRES || !isValue) throw new ProtocolError('bad-request', body + 1, `options ${options}`);
  if (end - at < EXPIRY_BYTES) throw new ProtocolError('bad-request', at, 'deadline is cut');
  const expiresAtMs = readDeadline(view, at);
  if (!isDeadline(expiresAtMs)) throw new ProtocolError('bad-request', at, `deadline ${expiresAtMs}`);
  return expiresAtMs;
}

function checkedKeyLength(view: DataView, body: number, end: number, exact: boolean): number {
  if (end - body < VERSION_HEADER_BYTES) throw new ProtocolError('bad-request', body, 'version frame is cut');
  const keyLength = view.getUint16(body + 2, true);
  const rest = end - body - VERSION_HEADER_BYTES;
  if (exact ? rest !== keyLength : rest < keyLength) {
    throw new ProtocolError('bad-request', body, `key of ${keyLength} bytes in a frame with ${rest}`);
  }
  return keyLength;
}
