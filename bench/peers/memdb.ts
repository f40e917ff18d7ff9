import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, type Children, freePort, SERVER_CORE, untilReady } from '../children.js';
import type { Credentials } from '../generators/jobs.js';
import type { Peer } from './peer.js';

const BIN = fileURLToPath(new URL('../../../bin/memdb.js', import.meta.url));
/** What a server finds: this very runtime under its name, and what `bin/memdb.js` sets when it is the one to be started. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
  GLIBC_TUNABLES: process.env.GLIBC_TUNABLES ?? 'glibc.malloc.hugetlb=1',
};
/** One connection never has more unanswered requests than this; open loops let them pile up. */
const INFLIGHT_MAX = 4096;

export interface MemdbOptions {
  readonly durability: 'none' | 'sync';
  /** Founders of the cluster; more than one run unpinned. */
  readonly nodes: 1 | 3;
  readonly profileDirectory: string | undefined;
}

export interface MemdbPeer extends Peer {
  readonly httpPorts: readonly number[];
  readonly credentials: Credentials;
  /** The connection URL for the client library. */
  readonly url: string;
  /** Starts the process of a node that was stopped, on its directory, and does not wait. */
  launch(node: number): Child;
}

/** Nodes with fresh directories and a keys file made for the run; resolves when each says that it is ready. */
export async function startMemdb(children: Children, options: MemdbOptions): Promise<MemdbPeer> {
  const directory = children.makeDirectory('memdb');
  const client = newKey();
  const node = newKey();
  const keysFile = join(directory, 'keys.toml');
  writeFileSync(keysFile, keyTable('client', client) + keyTable('node', node), { mode: 0o600 });
  const ports: number[] = [];
  const httpPorts: number[] = [];
  for (let index = 0; index < options.nodes; index++) {
    ports.push(await freePort());
    httpPorts.push(await freePort());
  }
  const launch = (index: number): Child => {
    const args = ['server', '--data', join(directory, `node${index}`)];
    args.push('--listen', `127.0.0.1:${ports[index]}`, '--http', `127.0.0.1:${httpPorts[index]}`);
    args.push('--seeds', ports.map((port) => `127.0.0.1:${port}`).join(','));
    const settings = {
      'cluster.founders': options.nodes,
      'auth.keys_file': keysFile,
      'storage.durability': options.durability,
      'limits.max_inflight': INFLIGHT_MAX,
    };
    for (const [name, value] of Object.entries(settings)) args.push('--set', `${name}=${value}`);
    const core = options.nodes === 1 ? SERVER_CORE : undefined;
    const [command, ...words] = commandFor(options.profileDirectory);
    return children.start(`memdb${index}`, command, [...words, ...args], { core, env: ENVIRONMENT });
  };
  const running = ports.map((_, index) => launch(index));
  for (let index = 0; index < running.length; index++) {
    await untilReady(running[index], () => isReady(httpPorts[index]));
  }
  return {
    ports,
    httpPorts,
    pids: running.map((child) => child.pid),
    credentials: client,
    url: `memdb://${client.keyId}:${client.secret}@${ports.map((port) => `127.0.0.1:${port}`).join(',')}/`,
    launch,
    stop: async () => {
      await Promise.all(running.map((child) => children.stop(child)));
    },
  };
}

/** A figure of a node's `/metrics`, or not-a-number when it has none of that name. */
export async function memdbMetric(httpPort: number, name: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${httpPort}/metrics`, { headers: { connection: 'close' } });
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith(name));
  const values = lines
    .filter((line) => /^[\s{]/.test(line.slice(name.length)))
    .map((line) => Number(line.split(' ').pop()));
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0);
}

async function isReady(httpPort: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${httpPort}/readyz`, { headers: { connection: 'close' } });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** As a user starts it; a profile is asked of the runtime, which then has to be started by name. */
function commandFor(profileDirectory: string | undefined): readonly [string, ...string[]] {
  if (profileDirectory === undefined) return [BIN];
  return [process.execPath, '--cpu-prof', `--cpu-prof-dir=${profileDirectory}`, BIN];
}

function newKey(): Credentials {
  return { keyId: `bench-${randomBytes(4).toString('hex')}`, secret: randomBytes(32).toString('base64url') };
}

function keyTable(role: string, key: Credentials): string {
  return `[[key]]\nid = "${key.keyId}"\nrole = "${role}"\nsecret = "${key.secret}"\n\n`;
}
