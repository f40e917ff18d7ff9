import { type Client, type ClusterTopology, MemDbError, type QuorumGetResult, type Stamp } from '@memdb/client';
import { keyHash, partitionOfHash } from '@memdb/protocol';
import type { z } from 'zod';
import type { explanationSchema } from '../api/schemas.js';
import type { NodeView } from './node-view.js';
import { preferenceLists } from './ownership.js';
import { showValue } from './shown-value.js';

type Explanation = z.infer<typeof explanationSchema>;
type Replica = Explanation['replicas'][number];

/** Of one attempt: with a replica down it is known that not all will answer. */
const TIMEOUT_MS = 1500;

/**
 * Where a key is, which version each owner holds, and why the newest wins. Asks as many owners as answer; reading at
 * quorum repairs what is stale, so a second look shows the repair.
 */
export async function explainKey(
  client: Client,
  topology: ClusterTopology,
  nodes: readonly NodeView[],
  key: Uint8Array,
): Promise<Explanation> {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const hash = keyHash(key, view, 0, key.length, topology.hashSeed);
  const partition = partitionOfHash(hash, topology.partitions);
  const owners = preferenceLists(topology.owners, topology.replicas)[partition] ?? [];
  const result = await ask(client, key, owners.length);
  const replicas = owners.map((owner, index) => describeReplica(owner, index + 1, result, nodes));
  return {
    key: Buffer.from(key).toString(),
    hash,
    partition,
    epoch: topology.epoch,
    found: result.bytes !== undefined,
    ...showValue(result.bytes),
    stamp: { ...result.stamp },
    agreed: result.agreed,
    why: why(result.stamp, result.bytes !== undefined, replicas),
    replicas,
  };
}

/** Of all owners if they answer, else of a majority, else of whoever answers. */
async function ask(client: Client, key: Uint8Array, owners: number): Promise<QuorumGetResult> {
  let last: unknown;
  for (const replies of [owners, Math.floor(owners / 2) + 1, 1]) {
    try {
      return await client.quorumGet(key, { replies, timeoutMs: TIMEOUT_MS });
    } catch (error) {
      if (!(error instanceof MemDbError) || (error.code !== 'unavailable' && error.code !== 'timeout')) throw error;
      last = error;
    }
  }
  throw last;
}

function describeReplica(node: number, place: number, result: QuorumGetResult, nodes: readonly NodeView[]): Replica {
  const state = nodes.find(({ number }) => number === node)?.state ?? 'unreachable';
  const response = result.responses.find((candidate) => candidate.node === node);
  if (response?.stamp === undefined) {
    const error = response?.error?.message;
    return { node, state, place, holds: 'no-answer', ...(error === undefined ? {} : { error }) };
  }
  const { stamp, bytes } = response;
  const holds = isSame(stamp, result.stamp)
    ? stamp.counter === 0
      ? 'nothing'
      : 'newest'
    : stamp.counter === 0
      ? 'nothing'
      : 'older';
  return {
    ...{ node, state, place, holds, found: bytes !== undefined },
    ...showValue(bytes),
    stamp: { ...stamp },
    ...(stamp.node === 0 ? {} : { writtenBy: stamp.node }),
  };
}

function isSame(a: Stamp, b: Stamp): boolean {
  return a.counter === b.counter && a.node === b.node;
}

function why(newest: Stamp, found: boolean, replicas: readonly Replica[]): string {
  if (newest.counter === 0) return 'No replica that answered has ever held this key.';
  const what = found ? 'This value' : 'The deletion';
  const holders = replicas.filter(({ holds }) => holds === 'newest');
  const older = replicas.filter(({ stamp, holds }) => holds === 'older' && stamp !== undefined);
  const coordinated = `${what} was stamped ${newest.counter} by node ${newest.node}`;
  if (older.length === 0) {
    return `${coordinated}; every replica that answered (${holders.length}) holds it, and none holds anything newer.`;
  }
  const [other] = older;
  const rival = other?.stamp ?? newest;
  const reason =
    rival.counter === newest.counter
      ? `the counters are equal, and node number ${newest.node} is higher than ${rival.node}`
      : `${newest.counter} is higher than ${rival.counter}, the counter of the version on node ${other?.node}`;
  return `${coordinated}. It wins because ${reason}. Replicas that were behind are repaired by this read.`;
}
