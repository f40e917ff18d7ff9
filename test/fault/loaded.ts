import type { Client } from '@memdb/client';
import type { ExecutionContext } from 'ava';
import { Ledger } from './ledger.js';
import { Load, type LoadOptions } from './load.js';
import { agreement, readBack } from './read-back.js';
import type { RealCluster } from './real-cluster.js';

/** A load that runs, through this client, and what it was told. */
export interface Loaded {
  readonly client: Client;
  readonly ledger: Ledger;
  readonly load: Load;
}

/** Puts a cluster under load; resolves once some of it was acknowledged. */
export async function underLoad(
  t: ExecutionContext,
  cluster: RealCluster,
  options: LoadOptions & { readonly timeoutMs?: number } = {},
): Promise<Loaded> {
  const { timeoutMs } = options;
  const client = await cluster.connect(timeoutMs === undefined ? {} : { timeoutMs });
  const ledger = new Ledger();
  const load = new Load(t, client, ledger, options);
  await load.more('acknowledged', 200);
  return { client, ledger, load };
}

/** Once all trouble is over: the load ends, everything acknowledged is found, and the replicas come to agree. */
export async function endsWell(t: ExecutionContext, { client, ledger, load }: Loaded): Promise<void> {
  await load.more('acknowledged', 200);
  await load.stop();
  t.deepEqual(load.broken, []);
  t.deepEqual(await readBack(client, ledger), []);
  t.is(await agreement(client, ledger.keysSince(0)), undefined);
  t.log(ledger.summary());
}
