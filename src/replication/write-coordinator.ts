import { Feature, Opcode, type OperationId, operationIdOfStamp, partitionOfHash } from '@memdb/protocol';
import type { PeerLink } from '../membership/peer-link.js';
import type { LamportClock } from '../model/lamport-clock.js';
import {
  expiryBytes,
  kindOf,
  lengthOf,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordExpiresAtMs,
  recordKeyLength,
  recordKindLength,
} from '../model/record.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Turn } from '../ports/turn.js';
import { recordIsSound } from '../storage/record-check.js';
import { sameBytes } from '../storage/same-bytes.js';
import type { Segment } from '../storage/segment.js';
import type { Store } from '../storage/store.js';
import { isEnough, type Quorum, quorumOf } from '../topology/quorum.js';
import type { ReplicaSet, ReplicaSets } from '../topology/replica-sets.js';
import { CommitPoints } from './commit-points.js';
import { ConflictLog } from './conflict-log.js';
import { hasFeatures, OLDER_OWNER } from './forwarder.js';
import { hasLaterWrite } from './later-write.js';
import { OvertakenWrites } from './overtaken-writes.js';
import type { PeerStream } from './peer-stream.js';
import { PendingWrites } from './pending-writes.js';
import type { Replies, ReplyTarget } from './replies.js';
import {
  ENTRIES_FULL,
  LEASE_SHORT,
  NO_ROOM,
  OVERWRITTEN,
  RESTAMP_FAILED,
  unavailable,
  WRITE_TIMEOUT,
} from './write-errors.js';

export interface WriteCoordinatorOptions {
  readonly self: number;
  readonly store: Store;
  readonly lamport: LamportClock;
  readonly sets: ReplicaSets;
  readonly replies: Replies;
  readonly turn: Turn;
  readonly telemetry: Telemetry;
  /** By member number; no stream for this node itself. */
  readonly streams: readonly (PeerStream | undefined)[];
  /** By member number. */
  readonly links: readonly (PeerLink | undefined)[];
  readonly reachable: (member: number) => boolean;
  /** The key is serial: the write goes on as a round, under `id` if it was sent anywhere before. */
  readonly onSerial: OnSerialWrite;
}

/** `value` undefined: a deletion. `id`: the stamp of the latest attempt. */
export type OnSerialWrite = (
  target: ReplyTarget,
  opcode: number,
  correlation: number,
  deadlineMs: number,
  key: Uint8Array,
  hash: number,
  value: Uint8Array | undefined,
  expiresAtMs: number,
  id: OperationId | undefined,
) => void;

const LEVELS = 3;
const LEVEL_NUMBERS: readonly number[] = [1, 2, 3];

/**
 * Drives plain writes: stamp, append, stream to the other owners, answer when enough of them have it durably
 * (mechanisms: Plain writes and reads).
 *
 * Invariants: an acknowledged write is durable on as many owners as its level asks for, or a newer version is; answers
 * counted for one stamp never count for another; a write is refused as not-applied only before it is appended.
 */
export class WriteCoordinator {
  readonly #options: WriteCoordinatorOptions;
  /** By set × level. */
  #queues: PendingWrites[] = [];
  readonly #overtaken: OvertakenWrites;
  readonly #points: CommitPoints;
  /** By set: the members that can be reached, as bits. */
  #reachable: Uint32Array = new Uint32Array(0);
  /** LSN of the latest write, by set × level. */
  #latest: Float64Array = new Float64Array(0);
  /** By set × level. */
  #quorums: Quorum[] = [];
  readonly #conflicts: Counter;
  /** The latest of them. */
  readonly conflicts: ConflictLog;
  readonly #restamps: Counter;
  readonly #timeouts: Counter;

  constructor(options: WriteCoordinatorOptions) {
    this.#options = options;
    const { telemetry } = options;
    this.#overtaken = new OvertakenWrites(options.replies, options.self);
    this.#points = new CommitPoints(options.streams);
    this.#conflicts = telemetry.counter('conflicts_total', 'Writes made without knowing the version they replaced.');
    this.#restamps = telemetry.counter('writes_restamped_total', 'Writes stamped again above a newer version.');
    this.#timeouts = telemetry.counter('writes_timed_out_total', 'Writes whose outcome was unknown at their deadline.');
    this.conflicts = new ConflictLog(options.turn);
    this.onEpoch();
  }

  /**
   * Another epoch is in force. Writes under way keep their stamps, and are counted anew by the owners that it names: no
   * answer carries over (mechanisms: Epochs). A node that is no owner any more brings its own to their end.
   */
  onEpoch(): void {
    const { sets, store } = this.#options;
    const before = this.#queues;
    const count = sets.sets.length * LEVELS;
    this.#queues = Array.from({ length: count }, () => new PendingWrites());
    this.#quorums = sets.sets.flatMap((set) => LEVEL_NUMBERS.map((level) => quorumOf(set, level)));
    this.#reachable = new Uint32Array(sets.sets.length);
    // Which of the new sets had a weaker write since is not looked up: it may be any.
    this.#latest = new Float64Array(count).fill(store.lastLsn);
    for (let level = 1; level <= LEVELS; level++) {
      const pending = before.filter((_, index) => index % LEVELS === level - 1).flatMap((queue) => queue.unsettled());
      pending.sort((a, b) => a.lsn - b.lsn);
      for (const write of pending) this.#queues[sets.ofHash(write.hash).index * LEVELS + level - 1].restore(write);
    }
    this.onLiveness();
  }

  /** Whether a write to a key with this hash is under way here. */
  hasPending(hash: number): boolean {
    return this.#queues.some((queue) => queue.size !== 0 && queue.unsettled().some((write) => write.hash === hash));
  }

  /** Whether a write to a key of the partition is under way here. */
  hasPendingIn(partition: number): boolean {
    const { partitions } = this.#options.sets;
    return this.#queues.some((queue) => {
      return queue.size !== 0 && queue.unsettled().some(({ hash }) => partitionOfHash(hash, partitions) === partition);
    });
  }

  /** Writes that are not answered yet. */
  get pending(): number {
    return this.#queues.reduce((sum, queue) => sum + queue.size, this.#overtaken.size);
  }

  /** The lowest LSN of a write that may have to be stamped again; infinity when none is pending. */
  get readLsn(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const queue of this.#queues) if (queue.size !== 0) lowest = Math.min(lowest, queue.lsn(queue.headSlot));
    return lowest;
  }

  /** A member became reachable or suspect. */
  onLiveness(): void {
    const { sets, reachable } = this.#options;
    for (const set of sets.sets) {
      this.#reachable[set.index] = set.members.reduce(
        (bits, member, at) => bits | (reachable(member) ? 1 << at : 0),
        0,
      );
    }
  }

  /**
   * One set or delete of a key that this node owns. The key is `bytes[keyStart, +keyLength)`, the value
   * `bytes[valueStart, +valueLength)`, its expiry `expiresAtMs` on the wall clock, 0 for none; `token` is the client's
   * Lamport counter; `deadlineMs` monotonic. Answers through `target`, now or later. Hot: no allocation.
   */
  write(
    target: ReplyTarget,
    opcode: number,
    correlation: number,
    level: number,
    deadlineMs: number,
    token: number,
    set: ReplicaSet,
    hash: number,
    bytes: Uint8Array,
    view: DataView,
    keyStart: number,
    keyLength: number,
    valueStart: number,
    valueLength: number,
    expiresAtMs: number,
  ): void {
    const { store, lamport, replies, self } = this.#options;
    const quorum = this.#quorums[set.index * LEVELS + level - 1];
    const known = store.lookup(hash, bytes, view, keyStart, keyLength);
    if (known && store.found.serial) {
      const key = bytes.slice(keyStart, keyStart + keyLength);
      // Writes of one connection keep their order.
      this.#convert(hash, key);
      const value = opcode === Opcode.delete ? undefined : bytes.slice(valueStart, valueStart + valueLength);
      this.#options.onSerial(target, opcode, correlation, deadlineMs, key, hash, value, expiresAtMs, undefined);
      return;
    }
    if (!isEnough(set, this.#reachable[set.index], quorum)) {
      replies.error(target, opcode, correlation, unavailable(this.#reachable[set.index], quorum, set));
      return;
    }
    if (expiresAtMs !== 0 && !this.#ownersKnowDeadlines(set)) {
      replies.error(target, opcode, correlation, OLDER_OWNER);
      return;
    }
    const kind = opcode === Opcode.delete ? RecordKind.tombstone : RecordKind.value;
    const room = store.room(RECORD_HEADER_BYTES + keyLength + expiryBytes(expiresAtMs) + valueLength, kind);
    if (room !== 'ok') {
      replies.error(target, opcode, correlation, NO_ROOM[room]);
      return;
    }
    if (kind === RecordKind.value && store.candidates.full && !(known && store.found.kind === RecordKind.value)) {
      replies.error(target, opcode, correlation, ENTRIES_FULL);
      return;
    }
    const floor = store.found.counter;
    const counter = lamport.next(floor);
    if (counter === 0) {
      replies.error(target, opcode, correlation, LEASE_SHORT);
      return;
    }
    if (known && token < floor) {
      this.#conflicts.value++;
      const { segment, offset } = store.found;
      // Damage is never shown, and this is no place to mend it.
      if (this.conflicts.takesMore() && segment !== undefined && recordIsSound(segment, offset)) {
        const winner = { counter, node: self, kind, bytes, valueStart, valueLength };
        this.conflicts.note(bytes, keyStart, keyLength, winner, store.found);
      }
    }
    const lsn = store.append(
      kind,
      counter,
      self,
      hash,
      bytes,
      keyStart,
      keyLength,
      bytes,
      valueStart,
      valueLength,
      expiresAtMs,
    );
    this.#stream(set, lsn);
    this.#latest[set.index * LEVELS + level - 1] = lsn;
    if (quorum.owners === 1 && quorum.next === 0 && lsn <= store.durableLsn) {
      replies.stamp(target, opcode, 0, correlation, counter, self);
      return;
    }
    const { segment, offset } = store.appended;
    const queue = this.#queues[set.index * LEVELS + level - 1];
    queue.push(lsn, target, opcode, correlation, counter, deadlineMs, hash, segment, offset);
  }

  /** The log became durable further, or a peer acknowledged: answers what has enough replicas now. Hot. */
  release(): void {
    const { sets } = this.#options.sets;
    for (let index = 0; index < sets.length; index++) {
      for (let level = 0; level < LEVELS; level++) {
        const queue = this.#queues[index * LEVELS + level];
        if (queue.size !== 0) this.#releaseQueue(queue, sets[index], level + 1);
      }
    }
  }

  /** An owner holds a version newer than the record with this LSN. */
  onRefused(member: number, lsn: number, counter: number, serial: boolean): void {
    this.#options.lamport.observe(counter);
    for (const set of this.#options.sets.sets) {
      const memberIndex = set.members.indexOf(member);
      if (memberIndex === -1) continue;
      for (let level = 1; level <= LEVELS; level++) {
        const queue = this.#queues[set.index * LEVELS + level - 1];
        const slot = queue.find(lsn);
        if (slot === -1) continue;
        if (serial) {
          this.#convertSlot(queue, slot);
          return;
        }
        queue.refuse(slot, memberIndex, counter);
        const possible = (set.owners | set.next) & ~queue.refused(slot);
        if (!isEnough(set, possible, quorumOf(set, level))) this.#restamp(queue, slot, set, level);
        return;
      }
    }
  }

  /** Answers what has passed its deadline: it may be stored somewhere, so the outcome is unknown. */
  expire(nowMs: number): void {
    this.#overtaken.expire(nowMs);
    for (const queue of this.#queues) {
      for (let index = 0; index < queue.size; index++) {
        const slot = queue.slotAt(index);
        const target = queue.target(slot);
        if (target === undefined || queue.deadlineMs(slot) > nowMs) continue;
        this.#timeouts.value++;
        this.#options.replies.error(target, queue.opcode(slot), queue.correlation(slot), WRITE_TIMEOUT);
        queue.settle(slot);
      }
      while (queue.size !== 0 && queue.target(queue.headSlot) === undefined) queue.pop();
    }
  }

  /** An owner of an older version would refuse the record, and with it all that this node streams behind it. */
  #ownersKnowDeadlines(set: ReplicaSet): boolean {
    const { links } = this.#options;
    return set.members.every((member) => links[member]?.isUp !== true || hasFeatures(links[member], Feature.ttl));
  }

  #stream(set: ReplicaSet, lsn: number): void {
    const { streams, self, store } = this.#options;
    const { members } = set;
    for (let index = 0; index < members.length; index++) {
      if (members[index] === self) continue;
      const { segment, offset, bytes } = store.appended;
      streams[members[index]]?.enqueue(segment, offset, bytes, lsn);
    }
  }

  #releaseQueue(queue: PendingWrites, set: ReplicaSet, level: number): void {
    const { replies, self, store } = this.#options;
    const quorum = this.#quorums[set.index * LEVELS + level - 1];
    const commitLsn = this.#points.of(set, quorum, store.durableLsn);
    while (queue.size !== 0) {
      const slot = queue.headSlot;
      const target = queue.target(slot);
      if (target !== undefined) {
        const lsn = queue.lsn(slot);
        if (lsn > commitLsn) return;
        // Refused by somebody: the commit point counts that owner, so the holders are counted one by one. Waiting for
        // the others would hold up all writes behind this one, and they may be down: it is stamped again.
        if (queue.refused(slot) !== 0 && !isEnough(set, this.#holders(set, lsn, queue.refused(slot)), quorum)) {
          this.#restamp(queue, slot, set, level);
        } else {
          replies.stamp(target, queue.opcode(slot), 0, queue.correlation(slot), queue.counter(slot), self);
          this.#overtaken.answer(lsn);
        }
      }
      queue.pop();
    }
  }

  /** The owners that hold exactly the record with this LSN durably, as bits. */
  #holders(set: ReplicaSet, lsn: number, refused: number): number {
    const { store, streams } = this.#options;
    let holders = 0;
    for (let index = 0; index < set.members.length; index++) {
      if ((refused & (1 << index)) !== 0) continue;
      const has = index === set.selfIndex ? store.durableLsn : (streams[set.members[index]]?.acknowledgedLsn ?? 0);
      if (has >= lsn) holders |= 1 << index;
    }
    return holders;
  }

  /**
   * A write whose stamp cannot reach enough owners any more: what superseded it has a counter of `above`. It is stamped
   * above that and counted anew, no answer carries over; unless a later write to the key is pending here.
   */
  #restamp(queue: PendingWrites, slot: number, set: ReplicaSet, level: number): void {
    const { store, lamport, replies, self } = this.#options;
    const target = queue.target(slot);
    const segment = queue.segment(slot);
    if (target === undefined || segment === undefined) return;
    const opcode = queue.opcode(slot);
    const correlation = queue.correlation(slot);
    const deadlineMs = queue.deadlineMs(slot);
    const { bytes, view } = segment;
    const offset = queue.offset(slot);
    const kindLength = recordKindLength(view, offset);
    const keyStart = offset + RECORD_HEADER_BYTES;
    const keyLength = recordKeyLength(view, offset);
    const hash = queue.hash(slot);
    const oldLsn = queue.lsn(slot);
    if (store.lookup(hash, bytes, view, keyStart, keyLength) && store.found.serial) {
      this.#convertSlot(queue, slot);
      return;
    }
    const later = this.#laterWrite(set, level, oldLsn, hash, segment, offset);
    if (later !== 0) {
      // Writes pipelined on one connection keep their order: the earlier one must not get the higher stamp. It counts
      // as done, and overwritten, once the later one is.
      const counter = queue.counter(slot);
      this.#overtaken.move(oldLsn, later);
      this.#overtaken.add({ lsn: later, target, opcode, correlation, counter, deadlineMs });
      queue.settle(slot);
      return;
    }
    if (this.#weakerSince(set, level, oldLsn) && hasLaterWrite(store, self, hash, segment, offset, oldLsn)) {
      // The later one was content with fewer owners, and may be answered: it must not be overtaken either.
      queue.settle(slot);
      replies.error(target, opcode, correlation, OVERWRITTEN);
      return;
    }
    // What is copied gets a checksum of its own: damage must not be stamped as good.
    const sound = recordIsSound(segment, offset);
    const room = store.room(lengthOf(kindLength), RecordKind.tombstone);
    const counter = sound && room === 'ok' ? lamport.next(queue.above(slot)) : 0;
    queue.settle(slot);
    if (counter === 0) {
      replies.error(target, opcode, correlation, RESTAMP_FAILED);
      return;
    }
    this.#restamps.value++;
    // The deadline was fixed once; another stamp does not move it.
    const expiresAtMs = recordExpiresAtMs(view, offset);
    const valueAt = RECORD_HEADER_BYTES + keyLength + expiryBytes(expiresAtMs);
    const lsn = store.append(
      kindOf(kindLength),
      counter,
      self,
      hash,
      bytes,
      keyStart,
      keyLength,
      bytes,
      offset + valueAt,
      lengthOf(kindLength) - valueAt,
      expiresAtMs,
    );
    this.#stream(set, lsn);
    const { appended } = store;
    queue.push(lsn, target, opcode, correlation, counter, deadlineMs, hash, appended.segment, appended.offset);
    this.#overtaken.move(oldLsn, lsn);
  }

  /** The key of this write is serial: it and all others to the key that wait here become rounds, in their order. */
  #convertSlot(queue: PendingWrites, slot: number): void {
    const segment = queue.segment(slot);
    if (segment === undefined) return;
    const start = queue.offset(slot) + RECORD_HEADER_BYTES;
    const length = recordKeyLength(segment.view, queue.offset(slot));
    this.#convert(queue.hash(slot), segment.bytes.slice(start, start + length));
  }

  #convert(hash: number, key: Uint8Array): void {
    const found: { readonly queue: PendingWrites; readonly slot: number; readonly lsn: number }[] = [];
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    for (const queue of this.#queues) {
      for (let index = 0; index < queue.size; index++) {
        const slot = queue.slotAt(index);
        const segment = queue.segment(slot);
        if (queue.target(slot) === undefined || segment === undefined || queue.hash(slot) !== hash) continue;
        const offset = queue.offset(slot);
        if (recordKeyLength(segment.view, offset) !== key.length) continue;
        if (!sameBytes(segment.view, offset + RECORD_HEADER_BYTES, view, 0, key.length)) continue;
        found.push({ queue, slot, lsn: queue.lsn(slot) });
      }
    }
    for (const { queue, slot, lsn } of found.sort((a, b) => a.lsn - b.lsn)) this.#toRound(queue, slot, lsn, key);
  }

  /** It was sent: what may have been adopted already is found by its stamp, and not applied again (×). */
  #toRound(queue: PendingWrites, slot: number, lsn: number, key: Uint8Array): void {
    const target = queue.target(slot);
    const segment = queue.segment(slot);
    if (target === undefined || segment === undefined) return;
    const opcode = queue.opcode(slot);
    const correlation = queue.correlation(slot);
    const offset = queue.offset(slot);
    const { bytes, view } = segment;
    const isSound = recordIsSound(segment, offset);
    const end = offset + lengthOf(recordKindLength(view, offset));
    const expiresAtMs = recordExpiresAtMs(view, offset);
    const valueStart = offset + RECORD_HEADER_BYTES + key.length + expiryBytes(expiresAtMs);
    const value = opcode === Opcode.delete ? undefined : bytes.slice(valueStart, end);
    const id = operationIdOfStamp({ counter: queue.counter(slot), node: this.#options.self });
    const deadlineMs = queue.deadlineMs(slot);
    const hash = queue.hash(slot);
    queue.settle(slot);
    // Writes that this one has overtaken cannot be told from it any more.
    this.#overtaken.abandon(lsn);
    // What is damaged must not be proposed as good.
    if (!isSound) this.#options.replies.error(target, opcode, correlation, RESTAMP_FAILED);
    else this.#options.onSerial(target, opcode, correlation, deadlineMs, key, hash, value, expiresAtMs, id);
  }

  /** LSN of the newest later write to the same key that waits here for at least as many owners; 0 for none. */
  #laterWrite(set: ReplicaSet, weakest: number, lsn: number, hash: number, segment: Segment, offset: number): number {
    let later = 0;
    for (let level = weakest - 1; level < LEVELS; level++) {
      const queue = this.#queues[set.index * LEVELS + level];
      const slot = queue.findLater(lsn, hash, segment, offset);
      if (slot !== -1) later = Math.max(later, queue.lsn(slot));
    }
    return later;
  }

  /** Whether a write that needs fewer owners than this level was made since. */
  #weakerSince(set: ReplicaSet, level: number, lsn: number): boolean {
    for (let weaker = 1; weaker < level; weaker++) {
      if (this.#latest[set.index * LEVELS + weaker - 1] > lsn) return true;
    }
    return false;
  }
}
