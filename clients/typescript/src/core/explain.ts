import { MemDbError, type WireStamp } from '@memdb/protocol';
import type { QuorumGetResult } from './quorum-result.js';

/** What one owner of a key holds. */
export interface OwnerVersion {
  readonly node: number;
  /** In the preference list, from 1. */
  readonly place: number;
  /** The newest version, an older one, none at all; or it did not answer. */
  readonly holds: 'newest' | 'older' | 'nothing' | 'no-answer';
  /** Undefined when it did not answer. */
  readonly stamp: WireStamp | undefined;
  /** Undefined when it holds no value. */
  readonly bytes: Uint8Array | undefined;
  readonly error: MemDbError | undefined;
}

/** Where a key is, and why the newest of its versions wins. */
export interface KeyExplanation {
  readonly hash: number;
  readonly partition: number;
  readonly epoch: number;
  /** Undefined when the key is absent. */
  readonly bytes: Uint8Array | undefined;
  readonly stamp: WireStamp;
  /** Whether every owner that answered holds the newest version. */
  readonly agreed: boolean;
  readonly owners: readonly OwnerVersion[];
  /** A sentence or two for a person. */
  readonly why: string;
}

/** Where a key is, before its owners are asked. */
export interface KeyPlace {
  readonly hash: number;
  readonly partition: number;
  readonly epoch: number;
  readonly owners: readonly number[];
}

/** Asks all owners if they answer, else a majority, else whoever answers, by `ask(replies)`. */
export async function explain(
  place: KeyPlace,
  ask: (replies: number) => Promise<QuorumGetResult>,
): Promise<KeyExplanation> {
  const { owners, ...where } = place;
  const result = await askMost(owners.length, ask);
  const versions = owners.map((node, index) => versionOf(node, index + 1, result));
  const { bytes, stamp, agreed } = result;
  return { ...where, bytes, stamp, agreed, owners: versions, why: whyOf(result, versions) };
}

async function askMost(owners: number, ask: (replies: number) => Promise<QuorumGetResult>): Promise<QuorumGetResult> {
  let last: unknown;
  for (const replies of [owners, Math.floor(owners / 2) + 1, 1]) {
    try {
      return await ask(replies);
    } catch (error) {
      if (!(error instanceof MemDbError) || (error.code !== 'unavailable' && error.code !== 'timeout')) throw error;
      last = error;
    }
  }
  throw last;
}

function versionOf(node: number, place: number, result: QuorumGetResult): OwnerVersion {
  const response = result.responses.find((candidate) => candidate.node === node);
  const stamp = response?.stamp;
  if (stamp === undefined) {
    return { node, place, holds: 'no-answer', stamp: undefined, bytes: undefined, error: response?.error };
  }
  const isNewest = stamp.counter === result.stamp.counter && stamp.node === result.stamp.node;
  const holds = stamp.counter === 0 ? 'nothing' : isNewest ? 'newest' : 'older';
  return { node, place, holds, stamp, bytes: response?.bytes, error: undefined };
}

function whyOf({ stamp, bytes }: QuorumGetResult, versions: readonly OwnerVersion[]): string {
  if (stamp.counter === 0) return 'No replica that answered has ever held this key.';
  const what = bytes === undefined ? 'The deletion' : 'This value';
  const stamped = `${what} was stamped ${stamp.counter} by node ${stamp.node}`;
  const rival = versions.find(({ holds }) => holds === 'older');
  if (rival?.stamp === undefined) {
    const holders = versions.filter(({ holds }) => holds === 'newest').length;
    return `${stamped}; every replica that answered (${holders}) holds it, and none holds anything newer.`;
  }
  const reason =
    rival.stamp.counter === stamp.counter
      ? `the counters are equal, and node number ${stamp.node} is higher than ${rival.stamp.node}`
      : `${stamp.counter} is higher than ${rival.stamp.counter}, the counter of the version on node ${rival.node}`;
  return `${stamped}. It wins because ${reason}. Replicas that were behind are repaired by this read.`;
}
