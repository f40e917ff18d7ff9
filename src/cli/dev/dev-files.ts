import { join, resolve } from 'node:path';
import { formatKey, type KeyRing, parseKeys } from '../../config/key-ring.js';
import { namesIn, removeInside } from '../../platform/directory-entries.js';
import { FileDisk } from '../../platform/file-disk.js';
import { DiskError } from '../../ports/disk.js';
import type { Random } from '../../ports/random.js';
import { CliError } from '../cli-error.js';
import { ExitCode } from '../exit-code.js';
import { generateKey } from '../generate-key.js';
import {
  type ClusterFile,
  type ClusterFileNode,
  clusterFileName,
  formatClusterFile,
  parseClusterFile,
} from './cluster-file.js';
import {
  type DevManagerPlan,
  type DevNodePlan,
  managerConfigName,
  managerConfigText,
  managerTokenName,
  nodeConfigText,
} from './dev-plan.js';

const keysName = 'keys.toml';
const nodeName = /^node([1-9]\d*)$/;
/** What a development cluster leaves in its directory: only this may `--fresh` remove. */
const ownName = /^(node[1-9]\d*|keys\.toml|cluster\.json|manager\.(toml|token|log)|LOCK(\..*)?|.*\.tmp)$/;

/** The directory of a development cluster. */
export class DevFiles {
  /** Absolute. */
  readonly directory: string;
  readonly #disk: FileDisk;

  constructor(directory: string) {
    this.directory = resolve(directory);
    this.#disk = new FileDisk(this.directory);
  }

  /** Throws `DiskError` kind `locked` while another `memdb dev` uses the directory. */
  lock(): void {
    this.#disk.lock();
  }

  unlock(): void {
    this.#disk.unlock();
  }

  /** How many nodes the cluster here has, by the highest number: one whose directory was removed still counts. */
  countNodes(): number {
    return Math.max(0, ...namesIn(this.directory).map((name) => Number(nodeName.exec(name)?.[1] ?? 0)));
  }

  /**
   * Removes the data of all nodes and the keys.
   *
   * @throws CliError when the directory holds anything else: it may be the wrong one.
   */
  removeData(): void {
    const names = namesIn(this.directory);
    const foreign = names.filter((name) => !ownName.test(name));
    if (foreign.length > 0) {
      throw new CliError(
        'directory-foreign',
        ExitCode.failed,
        `--fresh would empty ${this.directory}, but it holds ${foreign.slice(0, 3).join(', ')}, which memdb did not make; remove or move it first`,
      );
    }
    removeInside(
      this.directory,
      names.filter((name) => !name.startsWith('LOCK')),
    );
  }

  /** The keys of this cluster, made on first use. */
  keys(random: Random): KeyRing {
    if (!this.#disk.exists(keysName)) {
      const keys = (['client', 'node', 'admin'] as const).map((role) => generateKey(role, `dev-${role}`, random));
      const head =
        '# Keys of this development cluster, made by `memdb dev`. Whoever can read this file can use the cluster.\n';
      this.#disk.replace(keysName, Buffer.from(`${head}\n${keys.map(formatKey).join('\n')}`));
    }
    return parseKeys(join(this.directory, keysName), Buffer.from(this.#disk.read(keysName)).toString());
  }

  writeNodeConfig(plan: DevNodePlan, all: readonly DevNodePlan[]): void {
    this.#disk.makeDirectory(plan.name);
    this.#disk.replace(`${plan.name}/memdb.toml`, Buffer.from(nodeConfigText(plan, all, this.directory)));
  }

  /** Writes what the manager reads. The token is good for this run alone. */
  writeManagerConfig(plan: DevManagerPlan, nodes: readonly DevNodePlan[], token: string): void {
    this.#disk.replace(managerTokenName, Buffer.from(`${token}\n`));
    this.#disk.replace(managerConfigName, Buffer.from(managerConfigText(plan, nodes, this.directory)));
  }

  readCluster(): ClusterFile | undefined {
    try {
      return parseClusterFile(Buffer.from(this.#disk.read(clusterFileName)).toString());
    } catch (error) {
      if (error instanceof DiskError && error.kind === 'missing') return undefined;
      throw error;
    }
  }

  writeCluster(cluster: ClusterFile): void {
    this.#disk.replace(clusterFileName, Buffer.from(formatClusterFile(cluster)));
  }

  /** Notes that a node has another process now, or none. Does nothing while no cluster runs. */
  updateCluster(index: number, change: { readonly pid: number | null }): void {
    const cluster = this.readCluster();
    if (cluster === undefined) return;
    const nodes = cluster.nodes.map((node, offset) => (offset === index - 1 ? { ...node, ...change } : node));
    this.writeCluster({ ...cluster, nodes });
  }

  /** Notes that there is one more node. Does nothing while no cluster runs. */
  addToCluster(node: ClusterFileNode): void {
    const cluster = this.readCluster();
    if (cluster !== undefined) this.writeCluster({ ...cluster, nodes: [...cluster.nodes, node] });
  }

  /** Notes that the manager has ended. */
  noteManagerEnd(): void {
    const cluster = this.readCluster();
    if (cluster === undefined || cluster.manager === null) return;
    this.writeCluster({ ...cluster, manager: { ...cluster.manager, pid: null } });
  }

  removeCluster(): void {
    this.#disk.remove(clusterFileName);
  }
}
