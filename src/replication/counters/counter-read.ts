import { CounterEntryList } from '@memdb/protocol';
import { MergedEntries } from '../../counters/merged-entries.js';
import { isEnough, type Quorum, quorumOf } from '../../topology/quorum.js';
import type { ReplicaSet } from '../../topology/replica-sets.js';
import type { ReplyTarget } from '../replies.js';

/** The state of one quorum read of a counter. Replicas are named by their position in the set, sets of them by bits. */
export class CounterRead {
  readonly slot: number;
  /** Grows with each use of the slot and each question anew, so that a late answer is told apart. */
  use = 0;
  phase: 'free' | 'gather' | 'write-back' = 'free';
  target: ReplyTarget | undefined;
  correlation = 0;
  level = 0;
  startedMs = 0;
  deadlineMs = 0;
  hash = 0;
  name: Uint8Array = new Uint8Array(0);
  set: ReplicaSet | undefined;
  asked = 0;
  answered = 0;
  failed = 0;
  /** Replicas that were sent what they lack. */
  repairing = 0;
  /** Replicas that hold all that was merged, durably. */
  complete = 0;
  readonly merged: MergedEntries = new MergedEntries();
  /** What this node holds itself, while that is not durable yet. */
  readonly own: CounterEntryList = new CounterEntryList();
  #quorum: Quorum = { owners: 0, next: 0 };

  constructor(slot: number) {
    this.slot = slot;
  }

  get quorum(): Quorum {
    return this.#quorum;
  }

  /** Nobody was asked yet, or another epoch is in force and all are asked anew: earlier answers do not count. */
  ask(set: ReplicaSet): void {
    this.use = (this.use + 1) & 0xffff;
    this.phase = 'gather';
    this.#quorum = quorumOf(set, this.level);
    this.set = set;
    this.asked = 0;
    this.answered = 0;
    this.failed = 0;
    this.repairing = 0;
    this.complete = 0;
    this.merged.clear();
    this.own.clear();
  }

  /** Whether these members (bits) are as many as the read waits for. */
  isEnough(members: number): boolean {
    return this.set !== undefined && isEnough(this.set, members, this.#quorum);
  }

  /** Whether each entry, as it was merged, stands on enough replicas already. */
  get isHeldByEnough(): boolean {
    for (let index = 0; index < this.merged.list.count; index++) {
      if (!this.isEnough(this.merged.holders(index))) return false;
    }
    return true;
  }

  /** What the replies to this read are known by. */
  get correlationAtPeers(): number {
    return ((this.use << 16) | this.slot) >>> 0;
  }

  release(): void {
    this.phase = 'free';
    this.target = undefined;
    this.set = undefined;
    this.name = new Uint8Array(0);
    this.merged.clear();
  }
}
