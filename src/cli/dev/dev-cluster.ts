import { formatAddress } from '../../config/address.js';
import type { KeyRing } from '../../config/key-ring.js';
import type { Random } from '../../ports/random.js';
import type { Timers } from '../../ports/timers.js';
import { CliError } from '../cli-error.js';
import type { ClusterFile, ClusterFileManager, ClusterFileNode } from './cluster-file.js';
import type { DevFiles } from './dev-files.js';
import { DevManager } from './dev-manager.js';
import { DevNode, type ServingNode } from './dev-node.js';
import { type DevManagerPlan, type DevNodePlan, urlFor } from './dev-plan.js';

export interface DevClusterOptions {
  readonly files: DevFiles;
  readonly plans: readonly DevNodePlan[];
  readonly keys: KeyRing;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timers: Timers;
  readonly onDeath: (plan: DevNodePlan, how: string) => void;
  /** A node is no longer part of the cluster. */
  readonly onDeparted: (plan: DevNodePlan, message: string) => void;
  readonly manager: DevManagerPlan;
  /** What the manager's token is made of. */
  readonly random: Random;
  /** Whether the cluster runs without a manager when that cannot start. */
  readonly managerIsOptional: boolean;
  /** There is no manager (any more). */
  readonly onNoManager: (why: string) => void;
}

const tokenBytes = 32;

/** The nodes of one `memdb dev`. */
export class DevCluster {
  readonly #options: DevClusterOptions;
  #nodes: DevNode[] = [];
  #manager: DevManager | undefined;

  constructor(options: DevClusterOptions) {
    this.#options = options;
  }

  /** Starts every node; resolves once all serve and `cluster.json` is written. Rejects with the first failure. */
  async start(): Promise<ClusterFile> {
    const { files, plans, keys, environment, timers, onDeath, onDeparted } = this.#options;
    for (const plan of plans) files.writeNodeConfig(plan, plans);
    this.#nodes = plans.map((plan) => {
      const died = (how: string): void => {
        files.updateCluster(plan.index, { pid: null });
        onDeath(plan, how);
      };
      const departed = (message: string): void => {
        files.updateCluster(plan.index, { pid: null });
        onDeparted(plan, message);
      };
      return new DevNode({ plan, environment, timers, onDeath: died, onDeparted: departed });
    });
    const manager = this.#startManager();
    // Whoever fails first is reported; the other must not be an unhandled rejection meanwhile.
    manager.catch(() => {});
    const serving = await Promise.all(this.#nodes.map((node) => node.serving));
    const cluster: ClusterFile = {
      clientUrl: urlFor('client', keys, plans),
      adminUrl: urlFor('admin', keys, plans),
      manager: await manager,
      nodes: this.#nodes.map((node, offset) => describeNode(node, serving[offset])),
    };
    files.writeCluster(cluster);
    return cluster;
  }

  /** Ends every node. Those that `memdb dev start` runs end themselves when `cluster.json` is gone. */
  async stop(now: boolean): Promise<void> {
    this.#options.files.removeCluster();
    await Promise.all([...this.#nodes.map((node) => node.stop(now)), this.#manager?.stop(now)]);
  }

  async #startManager(): Promise<ClusterFileManager | null> {
    const { files, plans, manager: plan, environment, timers, random, managerIsOptional, onNoManager } = this.#options;
    const bytes = new Uint8Array(tokenBytes);
    random.fill(bytes);
    const token = Buffer.from(bytes).toString('base64url');
    files.writeManagerConfig(plan, plans, token);
    const died = (how: string): void => {
      files.noteManagerEnd();
      onNoManager(`it ended (${how}); its log is ${plan.logFile}`);
    };
    const manager = new DevManager({ plan, environment, timers, onDeath: died });
    this.#manager = manager;
    try {
      const url = await manager.listening;
      return { url, token, pid: manager.pid };
    } catch (error) {
      if (!managerIsOptional || !(error instanceof CliError)) throw error;
      onNoManager(error.message);
      return null;
    }
  }
}

/** As it stands in `cluster.json`; one that is no longer part of the cluster keeps its place, without an id. */
export function describeNode(node: DevNode, serving: ServingNode | undefined): ClusterFileNode {
  return {
    id: serving?.id ?? '',
    number: serving?.number ?? 0,
    address: formatAddress(node.plan.address),
    http: formatAddress(node.plan.http),
    pid: serving === undefined ? null : node.pid,
    dataDir: node.plan.dataDir,
  };
}
