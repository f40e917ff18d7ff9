import { parseUrl } from '@memdb/protocol';
import { type Client, createClient } from './client.js';
import type { ClientOptions, ConnectOptions } from './options.js';
import { createNodePorts } from './platform/node-ports.js';

/**
 * Connects to a cluster. Resolves once one node answered and the topology is known; the other nodes are connected
 * then too, or have failed once.
 *
 * @param target `memdb://KEYID:SECRET@host:port,host:port/?timeout=2000&consistency=quorum&tls=true`, or the same as
 * an object. The hosts are contact points; the client learns the rest.
 * @throws MemDbError `bad-request` for a URL or option that cannot be, `authentication-failed` for a key that no seed
 * accepts, `unavailable` when no node answered within `connectTimeoutMs`. Outcome is always `not-applied`.
 *
 * @example
 * await using db = await connect(process.env.MEMDB_URL);
 * await db.set('user:1', 'Ada');
 */
export async function connect(target: string | ConnectOptions, options: ClientOptions = {}): Promise<Client> {
  const merged = typeof target === 'string' ? optionsOf(target, options) : { ...target, ...options };
  const { tls } = merged;
  const ports = createNodePorts(tls === true ? {} : tls === false ? undefined : tls);
  const client = createClient({ ...merged, ports });
  await client.ready();
  return client;
}

/** What the URL says; options passed beside it win. */
function optionsOf(url: string, options: ClientOptions): ConnectOptions {
  const { keyId, secret, seeds, timeoutMs, consistency, tls } = parseUrl(url);
  return {
    seeds,
    key: { id: keyId, secret },
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    // 'serial' is for a later version; the settings refuse it with a sentence.
    ...(consistency === undefined ? {} : { consistency: consistency as ConnectOptions['consistency'] & string }),
    ...(tls === undefined ? {} : { tls }),
    ...options,
  };
}
