import {
  ErrorCode,
  Flag,
  FRAME_HEADER_BYTES,
  frameCorrelation,
  frameEpoch,
  frameFlags,
  Opcode,
  ProtocolError,
  readCounter,
  VERSION_HEADER_BYTES,
  VersionKind,
} from '@memdb/protocol';
import type { PeerLink } from '../membership/peer-link.js';
import { READ_HEDGE_MS } from '../model/limits.js';
import { expiryBytes, RecordKind } from '../model/record.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Turn } from '../ports/turn.js';
import type { Store } from '../storage/store.js';
import type { ReplicaSet, ReplicaSets } from '../topology/replica-sets.js';
import { OwnWaits } from './own-waits.js';
import { quorumAnswer } from './quorum-answer.js';
import { READ_TIMEOUT, READ_UNAVAILABLE, TOO_MANY_READS } from './read-errors.js';
import { askVersion, sendNewest } from './read-frames.js';
import { type ReadOperation, recordKindOf } from './read-operation.js';
import { ReadSlots } from './read-slots.js';
import { type Replica, versionDeadline } from './replica.js';
import type { Replies, ReplyError, ReplyTarget } from './replies.js';
import { unavailable } from './write-errors.js';

export interface ReadCoordinatorOptions {
  readonly self: number;
  readonly store: Store;
  readonly sets: ReplicaSets;
  readonly replies: Replies;
  readonly replica: Replica;
  readonly turn: Turn;
  readonly telemetry: Telemetry;
  /** By member number. */
  readonly links: readonly (PeerLink | undefined)[];
  readonly reachable: (member: number) => boolean;
  /** The key is serial: its read goes on as one. */
  readonly onSerial: (
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    deadlineMs: number,
    key: Uint8Array,
    hash: number,
  ) => void;
}

/**
 * Drives reads. A quorum read asks a majority, and writes the newest version back to a majority before it answers, so
 * that reads never go back (mechanisms: Plain writes and reads).
 *
 * Invariant: what is answered at quorum is durable on a majority of the owners, or something newer is.
 */
export class ReadCoordinator {
  readonly #options: ReadCoordinatorOptions;
  readonly #slots: ReadSlots = new ReadSlots();
  readonly #waits: OwnWaits = new OwnWaits();
  readonly #writeBacks: Counter;
  readonly #hedges: Counter;

  constructor(options: ReadCoordinatorOptions) {
    this.#options = options;
    const { telemetry } = options;
    this.#writeBacks = telemetry.counter('reads_written_back_total', 'Versions written to stale replicas by a read.');
    this.#hedges = telemetry.counter(
      'reads_hedged_total',
      'Quorum reads that asked more replicas for want of an answer.',
    );
  }

  /** Quorum reads that are not answered yet. */
  get pending(): number {
    return this.#slots.active;
  }

  /**
   * A read that needs the answers of a quorum; `selector` is its consistency, or the replies that a `quorumGet` waits for.
   * That one asks all owners at once and names each one's answer.
   */
  read(
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    selector: number,
    deadlineMs: number,
    hash: number,
    bytes: Uint8Array,
    keyStart: number,
    keyLength: number,
  ): void {
    const { replies, turn } = this.#options;
    const operation = this.#slots.acquire();
    if (operation === undefined) {
      replies.error(target, opcode, correlation, TOO_MANY_READS);
      return;
    }
    operation.begin(target, opcode, correlation, selector);
    operation.startedMs = turn.nowMs;
    operation.deadlineMs = deadlineMs;
    operation.hash = hash;
    operation.key.set(bytes, keyStart, keyLength);
    this.#start(operation);
  }

  /** Another epoch is in force: what was read under the old one does not count, and all is asked again. */
  onEpoch(): void {
    for (const operation of this.#slots.all) if (operation.set !== undefined) this.#start(operation);
  }

  /** Asks the owners of the epoch in force. */
  #start(operation: ReadOperation): void {
    const { store, sets, self, reachable } = this.#options;
    const { hash, key } = operation;
    const set = sets.ofHash(hash);
    operation.ask(set);
    const alive = set.members.reduce((bits, member, at) => bits | (reachable(member) ? 1 << at : 0), 0);
    if (!operation.isEnough(alive)) {
      this.#fail(operation, unavailable(alive, operation.quorum, set));
      return;
    }
    const isOwner = set.selfIndex !== -1;
    const has = isOwner && store.lookup(hash, key.bytes, key.view, 0, key.length);
    if (has && store.found.serial) {
      this.#becomeSerial(operation);
      return;
    }
    const durable = !has || store.found.durable;
    if (isOwner) operation.asked |= 1 << set.selfIndex;
    if (has && durable && !store.found.lost && operation.answers === undefined) {
      operation.localCounter = store.found.counter;
      operation.localNode = store.found.node;
      operation.localKind = store.found.kind;
    }
    // The replicas are asked before the own vote: a vote may complete the read, and would free the slot.
    const asksAll = operation.answers !== undefined;
    for (const member of sets.preferenceOfHash(hash)) {
      if (!asksAll && operation.isEnough(operation.asked)) break;
      if (member !== self && reachable(member)) this.#ask(operation, set.members.indexOf(member));
    }
    if (set.next !== 0) this.#askNext(operation, set, asksAll);
    if (!isOwner) return;
    if (durable) this.#voteSelf(operation);
    else this.#awaitOwn(operation);
  }

  /** Those who are owners once the pending change is committed, and are not among the preferred ones now. */
  #askNext(operation: ReadOperation, set: ReplicaSet, asksAll: boolean): void {
    for (const [at, member] of set.members.entries()) {
      if (!asksAll && operation.isEnough(operation.asked)) return;
      if ((operation.asked & (1 << at)) === 0 && this.#options.reachable(member)) this.#ask(operation, at);
    }
  }

  /** A readVersion reply. */
  onVersion(link: PeerLink, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const operation = this.#slots.named(frameCorrelation(view, start));
    if (operation?.set === undefined) return;
    const member = operation.set.members.indexOf(link.number);
    if (member === -1 || (operation.answered & (1 << member)) !== 0) return;
    if (frameEpoch(view, start) !== this.#options.sets.epoch) {
      this.#postpone(operation, member);
      return;
    }
    if ((frameFlags(view, start) & Flag.error) !== 0) {
      this.#onError(operation, member, view, start, end);
      return;
    }
    const body = start + FRAME_HEADER_BYTES;
    if (end - body < VERSION_HEADER_BYTES) throw new ProtocolError('bad-request', start, 'version reply is cut');
    const kind = view.getUint8(body);
    const counter = readCounter(view, body + 4);
    const node = view.getUint16(body + 12, true);
    if (operation.phase === 'write-back') {
      // What is returned is settled: replicas are storing it. Who holds something newer holds enough.
      operation.answered |= 1 << member;
      const recordKind = kind === VersionKind.same ? operation.localKind : recordKindOf(kind);
      if (operation.isReachedBy(counter, node, recordKind)) operation.holders |= 1 << member;
    } else if (kind === VersionKind.same) {
      // The own version was durable and voted for before the question left, so it is one of those known.
      operation.answered |= 1 << member;
      if (operation.isLocal(counter, node)) operation.holders |= 1 << member;
    } else {
      const expiresAtMs = versionDeadline(view, body, body + VERSION_HEADER_BYTES, end, kind === VersionKind.value);
      const valueStart = body + VERSION_HEADER_BYTES + expiryBytes(expiresAtMs);
      operation.vote(member, kind, counter, node, bytes, valueStart, end - valueStart, expiresAtMs);
    }
    this.#advance(operation);
  }

  /** A repair reply: the replica holds the version, or a newer one, durably. */
  onRepaired(link: PeerLink, view: DataView, start: number, end: number): void {
    const operation = this.#slots.named(frameCorrelation(view, start));
    if (operation?.set === undefined || operation.phase !== 'write-back') return;
    const member = operation.set.members.indexOf(link.number);
    if (member === -1) return;
    if (frameEpoch(view, start) !== this.#options.sets.epoch) this.#postpone(operation, member);
    else if ((frameFlags(view, start) & Flag.error) !== 0) this.#onError(operation, member, view, start, end);
    else {
      operation.holders |= 1 << member;
      this.#advance(operation);
    }
  }

  /** Whoever says that the key is serial, in a write-back too, makes this a serial read (×: a bare promise is enough). */
  #onError(operation: ReadOperation, member: number, view: DataView, start: number, end: number): void {
    const body = start + FRAME_HEADER_BYTES;
    const code = end - body >= 2 ? view.getUint16(body, true) : 0;
    if (code === ErrorCode['serial-key']) this.#becomeSerial(operation);
    else this.#failMember(operation, member);
  }

  #becomeSerial(operation: ReadOperation): void {
    const { target, opcode, correlation, deadlineMs, hash, key } = operation;
    const name = key.bytes.slice(0, key.length);
    this.#slots.release(operation);
    if (target !== undefined) this.#options.onSerial(target, opcode, correlation, deadlineMs, name, hash);
  }

  /** This side or the other is in an older epoch, and about to learn of the newer: the member is asked again then. */
  #postpone(operation: ReadOperation, member: number): void {
    operation.asked &= ~(1 << member);
    operation.repairing &= ~(1 << member);
  }

  /** The own log is durable up to `lsn`. */
  onDurable(lsn: number): void {
    for (const operation of this.#waits.take(lsn)) {
      if (operation.set === undefined) continue;
      if (operation.phase === 'gather') this.#voteSelf(operation);
      else if (operation.phase === 'write-back') this.#countSelf(operation, operation.set);
    }
  }

  /**
   * In a write-back the own log has become durable up to where this read had waited: that may have been for an older
   * version, to vote with. This node is a holder once what stands here now is new enough, and durable.
   */
  #countSelf(operation: ReadOperation, set: ReplicaSet): void {
    const { store } = this.#options;
    const { key } = operation;
    const held = store.lookup(operation.hash, key.bytes, key.view, 0, key.length);
    const { found } = store;
    // A deletion that was purged meanwhile counts by the floor.
    if (held && found.serial) {
      this.#becomeSerial(operation);
      return;
    }
    const kind = held ? found.kind : RecordKind.tombstone;
    if (found.lost || !operation.isReachedBy(found.counter, found.node, kind)) return;
    if (held && !found.durable) this.#awaitOwn(operation);
    else {
      operation.holders |= 1 << set.selfIndex;
      this.#advance(operation);
    }
  }

  /** A link went down, or its peer became suspect: whoever waits for it asks somebody else. */
  onLost(member: number): void {
    for (const operation of this.#slots.all) {
      if (operation.set === undefined) continue;
      const index = operation.set.members.indexOf(member);
      if (index === -1 || (operation.asked & (1 << index)) === 0) continue;
      const bit = 1 << index;
      const waits = operation.phase === 'gather' ? (operation.answered & bit) === 0 : (operation.holders & bit) === 0;
      if (waits) this.#failMember(operation, index);
    }
  }

  /** Answers reads past their deadline, and asks more replicas for those that wait long. */
  sweep(nowMs: number): void {
    for (const operation of this.#slots.all) {
      if (operation.set === undefined) continue;
      if (operation.deadlineMs <= nowMs) this.#fail(operation, READ_TIMEOUT);
      else if (nowMs - operation.startedMs > READ_HEDGE_MS) this.#askMore(operation);
    }
  }

  #ask(operation: ReadOperation, member: number): boolean {
    const { set } = operation;
    const link = set === undefined ? undefined : this.#options.links[set.members[member]];
    if (link?.isUp !== true) return false;
    operation.asked |= 1 << member;
    askVersion(link, operation, this.#options.turn.nowMs);
    return true;
  }

  /** The own version, as it stands now; it is durable. */
  #voteSelf(operation: ReadOperation): void {
    const { store } = this.#options;
    const { key, set } = operation;
    if (set === undefined) return;
    const has = store.lookup(operation.hash, key.bytes, key.view, 0, key.length);
    const { found } = store;
    if (found.lost) {
      this.#failMember(operation, set.selfIndex);
      return;
    }
    if (has && found.serial) {
      this.#becomeSerial(operation);
      return;
    }
    if (has && found.kind === RecordKind.value && !store.audit.isSound(found)) {
      // Damage is never answered, nor sent as good. It was repaired just now, or the key is lost here: then this node no
      // longer holds the version that replicas were told to compare with, and all are asked anew.
      this.#start(operation);
      return;
    }
    if (!has) operation.vote(set.selfIndex, VersionKind.never, found.counter, found.node, key.bytes, 0, 0, 0);
    else if (!found.durable) {
      // Overwritten while it waited: the version that stands there now must be durable before it is spoken of.
      this.#awaitOwn(operation);
      return;
    } else {
      const value = found.kind === RecordKind.value;
      const kind = value ? VersionKind.value : VersionKind.tombstone;
      const length = value ? found.valueLength : 0;
      const { counter, node, expiresAtMs } = found;
      operation.vote(set.selfIndex, kind, counter, node, found.bytes, found.valueStart, length, expiresAtMs);
    }
    this.#advance(operation);
  }

  #awaitOwn(operation: ReadOperation): void {
    this.#waits.add(operation, this.#options.store.lastLsn);
  }

  #advance(operation: ReadOperation): void {
    if (operation.phase === 'gather') {
      if (!operation.isEnough(operation.answered)) return;
      if (operation.answers !== undefined && this.#awaitsMore(operation)) return;
      operation.phase = 'write-back';
      if (!operation.isEnough(operation.holders)) this.#writeBack(operation, operation.answered);
    }
    if (operation.phase === 'write-back' && operation.isEnough(operation.holders)) this.#finish(operation);
  }

  /** quorumGet with fewer replies than owners still hears those that answer at once. */
  #awaitsMore(operation: ReadOperation): boolean {
    const waiting = operation.asked & ~operation.answered & ~operation.failed;
    return waiting !== 0 && this.#options.turn.nowMs - operation.startedMs <= READ_HEDGE_MS;
  }

  /** Sends the newest version to the given replicas that do not hold it. */
  #writeBack(operation: ReadOperation, members: number): void {
    const { set } = operation;
    if (set === undefined) return;
    this.#writeBacks.value++;
    for (let member = 0; member < set.members.length; member++) {
      const bit = 1 << member;
      if ((members & bit) === 0 || (operation.holders & bit) !== 0 || (operation.repairing & bit) !== 0) continue;
      operation.repairing |= bit;
      if (member === set.selfIndex) {
        this.#storeHere(operation);
        if (operation.set !== set) return;
      } else {
        const link = this.#options.links[set.members[member]];
        if (link?.isUp !== true) continue;
        operation.asked |= bit;
        sendNewest(link, operation, this.#options.turn.nowMs);
      }
    }
  }

  #storeHere(operation: ReadOperation): void {
    const { replica, store, turn } = this.#options;
    const { key, value, set } = operation;
    if (set === undefined) return;
    const record = new Uint8Array(key.length + value.length);
    record.set(key.bytes.subarray(0, key.length));
    record.set(value.bytes.subarray(0, value.length), key.length);
    const stored = replica.store(
      recordKindOf(operation.kind),
      operation.counter,
      operation.node,
      record,
      new DataView(record.buffer),
      0,
      key.length,
      key.length,
      value.length,
      operation.expiresAtMs,
    );
    if (stored === 'serial') this.#becomeSerial(operation);
    else if (stored === 'full') operation.failed |= 1 << set.selfIndex;
    else if (store.lastLsn <= store.durableLsn) operation.holders |= 1 << set.selfIndex;
    else {
      this.#awaitOwn(operation);
      turn.wake();
    }
  }

  #askMore(operation: ReadOperation): void {
    const { set } = operation;
    if (set === undefined) return;
    if (operation.phase === 'write-back') {
      this.#writeBack(operation, (1 << set.members.length) - 1);
      return;
    }
    let asked = false;
    for (let member = 0; member < set.members.length; member++) {
      if ((operation.asked & (1 << member)) === 0) asked = this.#ask(operation, member) || asked;
    }
    if (asked) this.#hedges.value++;
    this.#advance(operation);
  }

  #failMember(operation: ReadOperation, member: number): void {
    operation.failed |= 1 << member;
    const { set } = operation;
    if (set === undefined) return;
    this.#askMore(operation);
    if (operation.set !== set) return;
    const done = operation.phase === 'gather' ? operation.answered : operation.holders;
    const possible = (set.owners | set.next) & ~(operation.failed & ~done);
    if (!operation.isEnough(possible)) this.#fail(operation, READ_UNAVAILABLE);
  }

  #fail(operation: ReadOperation, error: ReplyError): void {
    const { target, opcode, correlation } = operation;
    this.#slots.release(operation);
    if (target !== undefined) this.#options.replies.error(target, opcode, correlation, error);
  }

  #finish(operation: ReadOperation): void {
    const { target, opcode, correlation, counter, node, value, set } = operation;
    if (target === undefined || set === undefined) return;
    const { replies, turn } = this.#options;
    const absent = !operation.hasValue(turn.wallMs);
    if (operation.answers !== undefined) {
      // Whoever answered with something older is brought up to date behind the answer.
      this.#writeBack(operation, operation.answered);
      replies.quorumGet(target, correlation, quorumAnswer(operation, set, turn.wallMs));
    } else if (absent) replies.stamp(target, opcode, Flag.absent, correlation, counter, node);
    else if (opcode === Opcode.contains) replies.stamp(target, opcode, 0, correlation, counter, node);
    else replies.value(target, opcode, correlation, counter, node, value.bytes, value.view, 0, value.length);
    this.#slots.release(operation);
  }
}
