import { compareStamps, MemDbError, type QuorumGetReply, type QuorumGetResponse, VersionKind } from '@memdb/protocol';
import type { ReplicaSet } from '../topology/replica-sets.js';
import { type ReadOperation, recordKindOf } from './read-operation.js';

/**
 * What a `quorumGet` tells: the newest version, and for every owner what it answered, or that it did not. A value whose
 * deadline has come at `wallMs` counts as absent.
 */
export function quorumAnswer(operation: ReadOperation, set: ReplicaSet, wallMs: number): QuorumGetReply {
  const stamp = { counter: operation.counter, node: operation.node };
  const answers = new Map(operation.answers?.map((answer) => [answer.node, answer]));
  // Those who own the key now: who will after a pending change has answered as well, and counts, but is not named.
  const owners = set.members.filter((_, at) => (set.owners & (1 << at)) !== 0);
  const responses = owners.map((node): QuorumGetResponse => {
    const answer = answers.get(node);
    if (answer === undefined) return { node, kind: 'error', error: noAnswer(node) };
    // An eviction has the stamp of what it evicts: the kind tells them apart.
    const isNewest = compareStamps(answer.counter, answer.stampNode, stamp.counter, stamp.node) === 0;
    if (isNewest && recordKindOf(answer.kind) === recordKindOf(operation.kind)) return { node, kind: 'same' };
    // Nothing held, and nothing to hold: floors differ, answers do not.
    if (answer.kind === VersionKind.never && operation.isGone) return { node, kind: 'same' };
    const own = { counter: answer.counter, node: answer.stampNode };
    const expired = answer.expiresAtMs !== 0 && answer.expiresAtMs <= wallMs;
    if (answer.value === undefined || expired) return { node, kind: 'absent', stamp: own };
    return { node, kind: 'value', stamp: own, bytes: answer.value };
  });
  return {
    agreed: responses.every((response) => response.kind === 'same' || response.kind === 'error'),
    stamp,
    value: operation.hasValue(wallMs) ? operation.value.bytes.slice(0, operation.value.length) : undefined,
    responses,
  };
}

function noAnswer(node: number): MemDbError {
  return new MemDbError('unavailable', 'this replica did not answer in time', { outcome: 'not-applied', node });
}
