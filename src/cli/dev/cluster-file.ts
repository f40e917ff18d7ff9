/** The directory of a development cluster, below the working directory, unless `--data` names another. */
export const defaultDataDirectory = '.memdb';
export const clusterFileName = 'cluster.json';

/** One node of a running development cluster. */
export interface ClusterFileNode {
  /** The node's UUID. */
  readonly id: string;
  readonly number: number;
  readonly address: string;
  readonly http: string;
  /** null while the node is stopped. */
  readonly pid: number | null;
  readonly dataDir: string;
}

/** The manager of a running development cluster. */
export interface ClusterFileManager {
  /** Of the dashboard; the REST API is below it. */
  readonly url: string;
  /** A bearer token, good until the cluster is stopped. */
  readonly token: string;
  /** null once it has ended. */
  readonly pid: number | null;
}

/** `DIR/cluster.json`: present while a development cluster runs, written once every node is serving. */
export interface ClusterFile {
  readonly clientUrl: string;
  readonly adminUrl: string;
  readonly manager: ClusterFileManager | null;
  readonly nodes: readonly ClusterFileNode[];
}

export function formatClusterFile(cluster: ClusterFile): string {
  return `${JSON.stringify(cluster, null, 2)}\n`;
}

/** Undefined when `text` is no cluster file. */
export function parseClusterFile(text: string): ClusterFile | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { clientUrl, adminUrl, manager, nodes } = value as Partial<Record<keyof ClusterFile, unknown>>;
  if (typeof clientUrl !== 'string' || typeof adminUrl !== 'string' || !Array.isArray(nodes)) return undefined;
  if (!nodes.every(isNode) || !(manager === null || isManager(manager))) return undefined;
  return { clientUrl, adminUrl, manager, nodes };
}

function isManager(value: unknown): value is ClusterFileManager {
  if (typeof value !== 'object' || value === null) return false;
  const { url, token, pid } = value as Partial<Record<keyof ClusterFileManager, unknown>>;
  return typeof url === 'string' && typeof token === 'string' && (pid === null || typeof pid === 'number');
}

function isNode(value: unknown): value is ClusterFileNode {
  if (typeof value !== 'object' || value === null) return false;
  const { id, number, address, http, pid, dataDir } = value as Partial<Record<keyof ClusterFileNode, unknown>>;
  const texts = [id, address, http, dataDir].every((field) => typeof field === 'string');
  return texts && typeof number === 'number' && (pid === null || typeof pid === 'number');
}
