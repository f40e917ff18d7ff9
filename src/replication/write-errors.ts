import { bitCount } from '../model/bit-count.js';
import type { Quorum } from '../topology/quorum.js';
import type { ReplicaSet } from '../topology/replica-sets.js';
import type { ReplyError } from './replies.js';

/** Why a write is refused, or what became of it is not known. */

/** `reachable`: the members of the set that can be reached, as bits. */
export function unavailable(reachable: number, quorum: Quorum, set: ReplicaSet): ReplyError {
  // While a change is pending there are two sets of owners: the one that lacks somebody is named.
  const lacksOwners = bitCount(reachable & set.owners) < quorum.owners;
  const among = lacksOwners || set.next === 0 ? set.owners : set.next;
  const needed = among === set.owners ? quorum.owners : quorum.next;
  const members = set.members.filter((_, at) => (among & (1 << at)) !== 0);
  return {
    code: 'unavailable',
    outcome: 'not-applied',
    message: `${bitCount(reachable & among)} of ${members.length} replicas of this key can be reached and ${needed} are needed; start the others (members ${members.join(', ')}) or ask with consistency "one"`,
  };
}

export const NO_ROOM: Record<'busy' | 'disk-full' | 'memory-full', ReplyError> = {
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
    message:
      'storage.max_memory is reached: delete data, or raise it; with storage.eviction = "lru" try again in a moment',
  },
};

export const ENTRIES_FULL: ReplyError = {
  code: 'memory-full',
  outcome: 'not-applied',
  message:
    'storage.max_entries is reached: delete keys, or raise it; with storage.eviction = "lru" try again in a moment',
};

export const LEASE_SHORT: ReplyError = {
  code: 'clock-ahead',
  outcome: 'not-applied',
  message: 'the node is extending its clock lease; try again in a moment',
};

export const WRITE_TIMEOUT: ReplyError = {
  code: 'timeout',
  outcome: 'unknown',
  message:
    'not enough replicas answered before the deadline; the write may have been applied: read the key to find out',
};

export const RESTAMP_FAILED: ReplyError = {
  code: 'unavailable',
  outcome: 'unknown',
  message: 'a newer version superseded the write and it could not be stamped again; read the key to find out',
};

export const OVERWRITTEN: ReplyError = {
  code: 'unavailable',
  outcome: 'unknown',
  message:
    'a newer version superseded the write, and a later write of this connection to the key, at a weaker consistency, stands above it; read the key to find out',
};
