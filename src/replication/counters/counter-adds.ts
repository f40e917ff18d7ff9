import { CounterEntryList, Feature, Opcode, partitionOfHash } from '@memdb/protocol';
import { CounterSum, raise } from '../../counters/counter-sum.js';
import type { PeerLink } from '../../membership/peer-link.js';
import type { LamportClock } from '../../model/lamport-clock.js';
import { COUNTER_ENTRIES_OPENED_MAX } from '../../model/limits.js';
import { RecordKind } from '../../model/record.js';
import type { Counter, Telemetry } from '../../ports/telemetry.js';
import type { Store } from '../../storage/store.js';
import { isEnough, type Quorum, quorumOf } from '../../topology/quorum.js';
import type { ReplicaSet, ReplicaSets } from '../../topology/replica-sets.js';
import { CommitPoints } from '../commit-points.js';
import { hasFeatures, OLDER_OWNER } from '../forwarder.js';
import type { PeerStream } from '../peer-stream.js';
import { PendingWrites } from '../pending-writes.js';
import type { Replies, ReplyTarget } from '../replies.js';
import { LEASE_SHORT, NO_ROOM, unavailable } from '../write-errors.js';
import { ADD_TIMEOUT, OVERFLOW, TOO_MANY_ENTRIES } from './counter-errors.js';

export interface CounterAddsOptions {
  readonly self: number;
  readonly store: Store;
  readonly lamport: LamportClock;
  readonly sets: ReplicaSets;
  readonly replies: Replies;
  readonly telemetry: Telemetry;
  /** By member number; no stream for this node itself. */
  readonly streams: readonly (PeerStream | undefined)[];
  /** By member number. */
  readonly links: readonly (PeerLink | undefined)[];
  readonly reachable: (member: number) => boolean;
}

const LEVELS = 3;
const LEVEL_NUMBERS: readonly number[] = [1, 2, 3];

/**
 * Takes adds to counters: raises this node's own entry, streams it to the other owners, and answers when enough of them
 * have it (mechanisms: Counters).
 *
 * Invariants: no state of an own entry leaves, and none is acknowledged, before it is on the device, in every mode of
 * durability; an add is refused as not-applied only before anything is appended.
 */
export class CounterAdds {
  readonly #options: CounterAddsOptions;
  readonly #points: CommitPoints;
  /** By set × level. */
  #queues: PendingWrites[] = [];
  #quorums: Quorum[] = [];
  readonly #entries: CounterEntryList = new CounterEntryList();
  readonly #sum: CounterSum = new CounterSum();
  /** Something was appended since the last `flush`. */
  #appended = false;
  readonly #timeouts: Counter;

  constructor(options: CounterAddsOptions) {
    this.#options = options;
    this.#points = new CommitPoints(options.streams);
    this.#timeouts = options.telemetry.counter(
      'counter_adds_timed_out_total',
      'Adds to counters whose outcome was unknown at their deadline.',
    );
    this.onEpoch();
  }

  /** Another epoch is in force: adds under way are counted anew by the owners that it names. */
  onEpoch(): void {
    const { sets } = this.#options;
    const before = this.#queues;
    this.#queues = Array.from({ length: sets.sets.length * LEVELS }, () => new PendingWrites());
    this.#quorums = sets.sets.flatMap((set) => LEVEL_NUMBERS.map((level) => quorumOf(set, level)));
    for (let level = 0; level < LEVELS; level++) {
      const pending = before.filter((_, index) => index % LEVELS === level).flatMap((queue) => queue.unsettled());
      pending.sort((a, b) => a.lsn - b.lsn);
      for (const add of pending) this.#queues[sets.ofHash(add.hash).index * LEVELS + level].restore(add);
    }
  }

  /** Adds that are not answered yet. */
  get pending(): number {
    return this.#queues.reduce((sum, queue) => sum + queue.size, 0);
  }

  /** The lowest LSN of an add that is not answered; infinity when none is pending. */
  get readLsn(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const queue of this.#queues) if (queue.size !== 0) lowest = Math.min(lowest, queue.lsn(queue.headSlot));
    return lowest;
  }

  /** Whether an add to a counter of the partition is under way here. */
  hasPendingIn(partition: number): boolean {
    const { partitions } = this.#options.sets;
    return this.#queues.some((queue) => {
      return queue.size !== 0 && queue.unsettled().some(({ hash }) => partitionOfHash(hash, partitions) === partition);
    });
  }

  /**
   * One add to the counter `bytes[nameStart, +nameLength)`, which this node owns; `deadlineMs` monotonic. Answers through
   * `target`, now or later. Hot: no allocation but what the list of entries once grew to.
   */
  add(
    target: ReplyTarget,
    correlation: number,
    level: number,
    deadlineMs: number,
    set: ReplicaSet,
    hash: number,
    bytes: Uint8Array,
    view: DataView,
    nameStart: number,
    nameLength: number,
    amountHigh: number,
    amountLow: number,
    subtracts: boolean,
  ): void {
    const { store, replies, lamport, self, sets, reachable } = this.#options;
    const quorum = this.#quorums[set.index * LEVELS + level - 1];
    let alive = 0;
    for (const [at, member] of set.members.entries()) if (reachable(member)) alive |= 1 << at;
    if (!isEnough(set, alive, quorum)) {
      replies.error(target, Opcode.counterAdd, correlation, unavailable(alive, quorum, set));
      return;
    }
    if (!this.#ownersKnowCounters(set)) {
      replies.error(target, Opcode.counterAdd, correlation, OLDER_OWNER);
      return;
    }
    const room = store.room(store.entries.bytesOf(nameLength), RecordKind.counterEntry);
    if (room !== 'ok') {
      replies.error(target, Opcode.counterAdd, correlation, NO_ROOM[room]);
      return;
    }
    const entries = this.#entries;
    entries.clear();
    store.entries.collect(hash, view, nameStart, nameLength, entries);
    this.#sum.of(entries);
    const generation = store.entries.generationOf(partitionOfHash(hash, sets.partitions));
    let index = entries.find(self, generation);
    if (index === -1) {
      if (entries.count >= COUNTER_ENTRIES_OPENED_MAX) {
        replies.error(target, Opcode.counterAdd, correlation, TOO_MANY_ENTRIES);
        return;
      }
      index = entries.count;
      entries.push(self, generation, 0, 0, 0, 0, 0);
    }
    const counter = lamport.next(entries.counter(index));
    if (counter === 0) {
      replies.error(target, Opcode.counterAdd, correlation, LEASE_SHORT);
      return;
    }
    const fits = this.#sum.mayTake(amountHigh, amountLow, subtracts);
    if (!fits || !raise(entries, index, counter, amountHigh, amountLow, subtracts)) {
      replies.error(target, Opcode.counterAdd, correlation, OVERFLOW);
      return;
    }
    const lsn = store.entries.append(hash, bytes, nameStart, nameLength, entries, index);
    this.#appended = true;
    this.#stream(set, lsn);
    const { segment, offset } = store.appended;
    const queue = this.#queues[set.index * LEVELS + level - 1];
    queue.push(lsn, target, Opcode.counterAdd, correlation, counter, deadlineMs, hash, segment, offset);
  }

  /** End of turn: own entries are synced whatever the durability is. `done` once that has changed anything. */
  flush(done: () => void): void {
    if (!this.#appended) return;
    this.#appended = false;
    const { store } = this.#options;
    // In mode sync the commit at the end of the turn does it, and in mode none there is nothing to do.
    if (store.lastLsn > store.syncedLsn && store.durability === 'interval') store.syncNow(done);
  }

  /** The log became durable further, or a peer acknowledged: answers what has enough replicas now. Hot. */
  release(): void {
    const { sets } = this.#options.sets;
    const { store, replies, self } = this.#options;
    for (let index = 0; index < this.#queues.length; index++) {
      const queue = this.#queues[index];
      if (queue.size === 0) continue;
      const set = sets[Math.floor(index / LEVELS)];
      const commitLsn = this.#points.of(set, this.#quorums[index], store.syncedLsn);
      while (queue.size !== 0) {
        const slot = queue.headSlot;
        const target = queue.target(slot);
        if (target !== undefined) {
          if (queue.lsn(slot) > commitLsn) break;
          replies.stamp(target, Opcode.counterAdd, 0, queue.correlation(slot), queue.counter(slot), self);
        }
        queue.pop();
      }
    }
  }

  /** Answers what has passed its deadline: it stands in the log, so the outcome is unknown. */
  expire(nowMs: number): void {
    for (const queue of this.#queues) {
      for (let index = 0; index < queue.size; index++) {
        const slot = queue.slotAt(index);
        const target = queue.target(slot);
        if (target === undefined || queue.deadlineMs(slot) > nowMs) continue;
        this.#timeouts.value++;
        this.#options.replies.error(target, Opcode.counterAdd, queue.correlation(slot), ADD_TIMEOUT);
        queue.settle(slot);
      }
      while (queue.size !== 0 && queue.target(queue.headSlot) === undefined) queue.pop();
    }
  }

  /** An owner of an older version would refuse the record, and with it all that this node streams behind it. */
  #ownersKnowCounters(set: ReplicaSet): boolean {
    const { links } = this.#options;
    return set.members.every((member) => links[member]?.isUp !== true || hasFeatures(links[member], Feature.counters));
  }

  #stream(set: ReplicaSet, lsn: number): void {
    const { streams, self, store } = this.#options;
    const { segment, offset, bytes } = store.appended;
    for (const member of set.members) {
      if (member !== self) streams[member]?.enqueueOwnEntry(segment, offset, bytes, lsn);
    }
  }
}
