import { join } from 'node:path';
import { type Address, formatAddress, parseAddress } from '../../config/address.js';
import { formatSecret, type KeyRing } from '../../config/key-ring.js';
import { CliError } from '../cli-error.js';
import { ExitCode } from '../exit-code.js';
import type { ClusterFileNode } from './cluster-file.js';

const loopback = '127.0.0.1';
/** Between a node's data port and its http port. It also bounds the nodes: ports of the two kinds must not meet. */
const httpPortDistance = 100;
export const devNodesMax: number = httpPortDistance;

/** What the person chose. */
export interface DevChoice {
  readonly nodes: number;
  /** Of node 1. */
  readonly port: number;
  /** Absolute. */
  readonly directory: string;
}

/** One node of the development cluster, before it runs. */
export interface DevNodePlan {
  /** Counts from 1. */
  readonly index: number;
  readonly name: string;
  readonly address: Address;
  readonly http: Address;
  readonly dataDir: string;
  readonly logFile: string;
  readonly configFile: string;
}

function keysFileOf(directory: string): string {
  return join(directory, 'keys.toml');
}

export const managerConfigName = 'manager.toml';
export const managerTokenName = 'manager.token';

/** The manager of the development cluster, before it runs. */
export interface DevManagerPlan {
  /** Port 0: any that is free. */
  readonly port: number;
  readonly configFile: string;
  readonly logFile: string;
}

export function planManager(port: number, directory: string): DevManagerPlan {
  return { port, configFile: join(directory, managerConfigName), logFile: join(directory, 'manager.log') };
}

/** The configuration file of the manager. */
export function managerConfigText(plan: DevManagerPlan, nodes: readonly DevNodePlan[], directory: string): string {
  const seeds = nodes.map((node) => JSON.stringify(formatAddress(node.address))).join(', ');
  return `# Written by \`memdb dev\` at each start; edits do not last. MEMDB_LOG_... does.
[cluster]
name = "dev"
seeds = [${seeds}]

[auth]
keys_file = ${JSON.stringify(keysFileOf(directory))}

[manager]
listen = ${JSON.stringify(formatAddress({ host: loopback, port: plan.port }))}
token_file = ${JSON.stringify(join(directory, managerTokenName))}
`;
}

/** Node i listens on port + i − 1, its http on port + 100 + i − 1, and keeps everything in `DIR/node<i>`. */
export function planNodes(choice: DevChoice): DevNodePlan[] {
  const lastPort = choice.port + httpPortDistance + choice.nodes - 1;
  if (lastPort > 65_535) {
    throw new CliError(
      'usage',
      ExitCode.usage,
      `--port ${choice.port} leaves no room: the last port would be ${lastPort}`,
    );
  }
  return Array.from({ length: choice.nodes }, (_, offset) => {
    const name = `node${offset + 1}`;
    return {
      ...planFiles(name, join(choice.directory, name)),
      index: offset + 1,
      address: { host: loopback, port: choice.port + offset },
      http: { host: loopback, port: choice.port + httpPortDistance + offset },
    };
  });
}

/** The plan of a node that runs or ran in the cluster that `cluster.json` describes. */
export function planOfRunning(index: number, entry: ClusterFileNode): DevNodePlan {
  const address = parseAddress(entry.address);
  const http = parseAddress(entry.http);
  if (address === undefined || http === undefined) {
    throw new CliError('cluster-file-invalid', ExitCode.failed, `cluster.json holds no valid address for node${index}`);
  }
  return { ...planFiles(`node${index}`, entry.dataDir), index, address, http };
}

function planFiles(name: string, dataDir: string): Pick<DevNodePlan, 'name' | 'dataDir' | 'logFile' | 'configFile'> {
  return { name, dataDir, logFile: join(dataDir, 'memdb.log'), configFile: join(dataDir, 'memdb.toml') };
}

/**
 * The configuration file of one node. Each node is a failure domain of its own, although all share this machine:
 * otherwise no two replicas could be spread.
 */
export function nodeConfigText(plan: DevNodePlan, all: readonly DevNodePlan[], directory: string): string {
  const seeds = all.map((node) => JSON.stringify(formatAddress(node.address))).join(', ');
  return `# Written by \`memdb dev\` at each start; edits do not last. MEMDB_STORAGE_..., MEMDB_LIMITS_... and MEMDB_LOG_... do.
[node]
data_dir = ${JSON.stringify(plan.dataDir)}
listen = ${JSON.stringify(formatAddress(plan.address))}
http = ${JSON.stringify(formatAddress(plan.http))}
host = ${JSON.stringify(plan.name)}

[cluster]
name = "dev"
seeds = [${seeds}]
founders = ${all.length}

[auth]
keys_file = ${JSON.stringify(keysFileOf(directory))}
`;
}

/** What `bin/memdb.js` asks of the C library unless the environment says otherwise (docs/decisions/huge-pages.md). */
const hugePages = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' } as const;

/** The environment for a node: what the plan decides cannot be overridden by accident. */
export function nodeEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const decided = /^MEMDB_(NODE|CLUSTER|AUTH|MANAGER)_/;
  const kept = Object.fromEntries(Object.entries(environment).filter(([name]) => !decided.test(name)));
  return { ...hugePages, ...kept };
}

/** The URL that reaches the cluster with its first key of `role`. */
export function urlFor(role: 'client' | 'admin', keys: KeyRing, nodes: readonly DevNodePlan[]): string {
  const key = keys.preferred(role);
  if (key === undefined) {
    throw new CliError(
      'keys-incomplete',
      ExitCode.failed,
      `the keys file holds no key of role "${role}"; remove it and start again`,
    );
  }
  const hosts = nodes.map((node) => formatAddress(node.address)).join(',');
  return `memdb://${key.id}:${formatSecret(key.secret)}@${hosts}`;
}
