import { Consistency, keyHash, Opcode } from '@memdb/protocol';
import type { LamportClock } from '../model/lamport-clock.js';
import { lengthOf, RECORD_HEADER_BYTES, RecordKind, recordKindLength } from '../model/record.js';
import type { Counter, Telemetry } from '../ports/telemetry.js';
import type { Store } from '../storage/store.js';
import type { ReplicaSet, ReplicaSets } from '../topology/replica-sets.js';
import type { PeerStream } from './peer-stream.js';
import { PendingWrites } from './pending-writes.js';
import type { Replies, ReplyError, ReplyTarget } from './replies.js';

export interface WriteCoordinatorOptions {
  readonly self: number;
  readonly store: Store;
  readonly lamport: LamportClock;
  readonly sets: ReplicaSets;
  readonly hashSeed: number;
  readonly replies: Replies;
  readonly telemetry: Telemetry;
  /** By member number; no stream for this node itself. */
  readonly streams: readonly (PeerStream | undefined)[];
  readonly reachable: (member: number) => boolean;
}

const LEVELS = 3;
const OWNERS_MAX = 16;

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
  readonly #queues: PendingWrites[];
  readonly #acknowledged: Float64Array = new Float64Array(OWNERS_MAX);
  readonly #reachableOwners: Uint8Array;
  readonly #conflicts: Counter;
  readonly #restamps: Counter;
  readonly #timeouts: Counter;

  constructor(options: WriteCoordinatorOptions) {
    this.#options = options;
    this.#queues = Array.from({ length: options.sets.sets.length * LEVELS }, () => new PendingWrites());
    this.#reachableOwners = new Uint8Array(options.sets.sets.length);
    const { telemetry } = options;
    this.#conflicts = telemetry.counter('conflicts_total', 'Writes made without knowing the version they replaced.');
    this.#restamps = telemetry.counter('writes_restamped_total', 'Writes stamped again above a newer version.');
    this.#timeouts = telemetry.counter('writes_timed_out_total', 'Writes whose outcome was unknown at their deadline.');
    this.onLiveness();
  }

  /** Writes that are not answered yet. */
  get pending(): number {
    return this.#queues.reduce((sum, queue) => sum + queue.size, 0);
  }

  /** A member became reachable or suspect. */
  onLiveness(): void {
    for (const set of this.#options.sets.sets) {
      this.#reachableOwners[set.index] = set.members.filter((member) => this.#options.reachable(member)).length;
    }
  }

  /**
   * One set or delete of a key that this node owns. The key is `bytes[keyStart, +keyLength)`, the value
   * `bytes[valueStart, +valueLength)`; `token` is the client's Lamport counter; `deadlineMs` monotonic. Answers through
   * `target`, now or later. Hot: no allocation.
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
  ): void {
    const { store, lamport, replies, self } = this.#options;
    const needed = neededOwners(set, level);
    if (this.#reachableOwners[set.index] < needed) {
      replies.error(target, opcode, correlation, unavailable(this.#reachableOwners[set.index], needed, set));
      return;
    }
    const kind = opcode === Opcode.delete ? RecordKind.tombstone : RecordKind.value;
    const room = store.room(RECORD_HEADER_BYTES + keyLength + valueLength, kind);
    if (room !== 'ok') {
      replies.error(target, opcode, correlation, NO_ROOM[room]);
      return;
    }
    let floor = 0;
    if (store.lookup(hash, bytes, view, keyStart, keyLength)) {
      floor = store.found.counter;
      if (token < floor) this.#conflicts.value++;
    }
    const counter = lamport.next(floor);
    if (counter === 0) {
      replies.error(target, opcode, correlation, LEASE_SHORT);
      return;
    }
    const lsn = store.append(kind, counter, self, hash, bytes, keyStart, keyLength, bytes, valueStart, valueLength);
    this.#stream(set, lsn);
    if (needed === 1 && lsn <= store.durableLsn) replies.stamp(target, opcode, 0, correlation, counter, self);
    else this.#queues[set.index * LEVELS + level - 1].push(lsn, target, opcode, correlation, counter, deadlineMs);
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
  onRefused(member: number, lsn: number, counter: number): void {
    this.#options.lamport.observe(counter);
    for (const set of this.#options.sets.sets) {
      const memberIndex = set.members.indexOf(member);
      if (memberIndex === -1) continue;
      for (let level = 1; level <= LEVELS; level++) {
        const queue = this.#queues[set.index * LEVELS + level - 1];
        const slot = queue.find(lsn);
        if (slot === -1) continue;
        queue.refuse(slot, memberIndex);
        const possible = set.members.length - bitCount(queue.refused(slot));
        if (possible < neededOwners(set, level)) this.#restamp(queue, slot, set, counter);
        return;
      }
    }
  }

  /** Answers what has passed its deadline: it may be stored somewhere, so the outcome is unknown. */
  expire(nowMs: number): void {
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
    const { replies, self } = this.#options;
    const needed = neededOwners(set, level);
    const commitLsn = this.#commitPoint(set, needed);
    while (queue.size !== 0) {
      const slot = queue.headSlot;
      const target = queue.target(slot);
      if (target !== undefined) {
        const lsn = queue.lsn(slot);
        if (lsn > commitLsn) return;
        // Refused by somebody: the commit point counts that owner, so the holders are counted one by one. Waiting for
        // the others would hold up all writes behind this one, and they may be down: it is stamped again.
        if (queue.refused(slot) !== 0 && this.#holders(set, lsn, queue.refused(slot)) < needed) {
          this.#restamp(queue, slot, set, this.#options.lamport.current);
        } else {
          replies.stamp(target, queue.opcode(slot), 0, queue.correlation(slot), queue.counter(slot), self);
        }
      }
      queue.pop();
    }
  }

  /** The LSN up to which `needed` owners have everything: the `needed`-th largest of what each has. */
  #commitPoint(set: ReplicaSet, needed: number): number {
    const { store, streams } = this.#options;
    const sorted = this.#acknowledged;
    const { members, selfIndex } = set;
    for (let index = 0; index < members.length; index++) {
      const lsn = index === selfIndex ? store.durableLsn : (streams[members[index]]?.acknowledgedLsn ?? 0);
      let at = index;
      for (; at > 0 && sorted[at - 1] < lsn; at--) sorted[at] = sorted[at - 1];
      sorted[at] = lsn;
    }
    return sorted[needed - 1];
  }

  /** How many owners hold exactly the record with this LSN durably. */
  #holders(set: ReplicaSet, lsn: number, refused: number): number {
    const { store, streams } = this.#options;
    let holders = 0;
    for (let index = 0; index < set.members.length; index++) {
      if ((refused & (1 << index)) !== 0) continue;
      const has = index === set.selfIndex ? store.durableLsn : (streams[set.members[index]]?.acknowledgedLsn ?? 0);
      if (has >= lsn) holders++;
    }
    return holders;
  }

  /** Stamps a write above what superseded it and starts counting again: no answer carries over to the new stamp. */
  #restamp(queue: PendingWrites, slot: number, set: ReplicaSet, above: number): void {
    const { store, lamport, replies, self } = this.#options;
    const target = queue.target(slot);
    if (target === undefined) return;
    const opcode = queue.opcode(slot);
    const correlation = queue.correlation(slot);
    const old = store.logCursor(queue.lsn(slot) - 1);
    const found = old.next() && old.lsn === queue.lsn(slot);
    const room = found ? store.room(old.bytes, RecordKind.tombstone) : 'busy';
    const counter = room === 'ok' ? lamport.next(above) : 0;
    queue.settle(slot);
    if (counter === 0) {
      replies.error(target, opcode, correlation, RESTAMP_FAILED);
      return;
    }
    this.#restamps.value++;
    const { bytes, view } = old.segment;
    const hash = keyHash(bytes, view, old.keyStart, old.keyLength, this.#options.hashSeed);
    const valueStart = old.keyStart + old.keyLength;
    const valueLength = lengthOf(recordKindLength(view, old.offset)) - RECORD_HEADER_BYTES - old.keyLength;
    const lsn = store.append(
      old.kind,
      counter,
      self,
      hash,
      bytes,
      old.keyStart,
      old.keyLength,
      bytes,
      valueStart,
      valueLength,
    );
    this.#stream(set, lsn);
    queue.push(lsn, target, opcode, correlation, counter, queue.deadlineMs(slot));
  }
}

/** How many owners a level waits for. */
export function neededOwners(set: ReplicaSet, level: number): number {
  if (level === Consistency.quorum) return set.majority;
  return level === Consistency.one ? 1 : set.members.length;
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

export function unavailable(reachable: number, needed: number, set: ReplicaSet): ReplyError {
  return {
    code: 'unavailable',
    outcome: 'not-applied',
    message: `${reachable} of ${set.members.length} replicas of this key can be reached and ${needed} are needed; start the others (members ${set.members.join(', ')}) or ask with consistency "one"`,
  };
}

const NO_ROOM: Record<'busy' | 'disk-full' | 'memory-full', ReplyError> = {
  busy: {
    code: 'overloaded',
    outcome: 'not-applied',
    message: 'the next log segment is still being prepared; try again in a moment',
  },
  'disk-full': {
    code: 'storage-full',
    outcome: 'not-applied',
    message: 'the disk of this node is full: free space under node.data_dir; writing resumes by itself',
  },
  'memory-full': {
    code: 'memory-full',
    outcome: 'not-applied',
    message: 'storage.max_memory is reached: delete data, or raise it',
  },
};

const LEASE_SHORT: ReplyError = {
  code: 'clock-ahead',
  outcome: 'not-applied',
  message: 'the node is extending its clock lease; try again in a moment',
};

const WRITE_TIMEOUT: ReplyError = {
  code: 'timeout',
  outcome: 'unknown',
  message:
    'not enough replicas answered before the deadline; the write may have been applied: read the key to find out',
};

const RESTAMP_FAILED: ReplyError = {
  code: 'unavailable',
  outcome: 'unknown',
  message: 'a newer version superseded the write and it could not be stamped again; read the key to find out',
};
