import { Consistency } from '@memdb/protocol';
import { bitCount } from '../model/bit-count.js';
import type { ReplicaSet } from './replica-sets.js';

/** How many owners an operation waits for: of those now, and while a change is pending of the next ones as well. */
export interface Quorum {
  readonly owners: number;
  readonly next: number;
}

/** What a level of consistency waits for. `one` is content with any one owner. */
export function quorumOf(set: ReplicaSet, level: number): Quorum {
  switch (level) {
    case Consistency.one:
      return ONE;
    case Consistency.all:
      return { owners: bitCount(set.owners), next: bitCount(set.next) };
    default:
      return { owners: set.majority, next: set.nextMajority };
  }
}

/**
 * What a `quorumGet` waits for that asks for so many replies: 0 for a majority, 255 for all. Whoever asks for a majority
 * at least gets what a majority promises, whatever is pending.
 */
export function quorumOfReplies(set: ReplicaSet, replies: number): Quorum {
  if (replies === 0) return quorumOf(set, Consistency.quorum);
  if (replies === REPLIES_ALL) return quorumOf(set, Consistency.all);
  const owners = Math.min(replies, bitCount(set.owners));
  return { owners, next: owners >= set.majority ? set.nextMajority : 0 };
}

/** Whether members of the set, as bits, are enough. Hot. */
export function isEnough(set: ReplicaSet, members: number, quorum: Quorum): boolean {
  return bitCount(members & set.owners) >= quorum.owners && bitCount(members & set.next) >= quorum.next;
}

const REPLIES_ALL = 255;
const ONE: Quorum = { owners: 1, next: 0 };
