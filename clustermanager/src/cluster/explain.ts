import type { Client, OwnerVersion } from '@memdb/client';
import type { z } from 'zod';
import type { explanationSchema } from '../api/schemas.js';
import type { NodeView } from './node-view.js';
import { showValue } from './shown-value.js';

type Explanation = z.infer<typeof explanationSchema>;

/** For each of up to three attempts: with a replica down it is known that not all will answer. */
const TIMEOUT_MS = 1500;

/** Where a key is, which version each owner holds, and why the newest wins; reading repairs what is stale. */
export async function explainKey(client: Client, nodes: readonly NodeView[], key: Uint8Array): Promise<Explanation> {
  const { bytes, stamp, owners, ...facts } = await client.explain(key, { timeoutMs: TIMEOUT_MS });
  const replica = ({
    node,
    place,
    holds,
    stamp: own,
    bytes: value,
    error,
  }: OwnerVersion): Explanation['replicas'][0] => ({
    ...{ node, place, holds, state: nodes.find(({ number }) => number === node)?.state ?? 'unreachable' },
    ...(own === undefined ? {} : { found: value !== undefined, stamp: { ...own } }),
    ...(own === undefined || own.node === 0 ? {} : { writtenBy: own.node }),
    ...showValue(value),
    ...(error === undefined ? {} : { error: error.message }),
  });
  return {
    key: Buffer.from(key).toString(),
    ...facts,
    found: bytes !== undefined,
    ...showValue(bytes),
    stamp: { ...stamp },
    replicas: owners.map(replica),
  };
}
