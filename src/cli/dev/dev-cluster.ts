import { formatAddress } from '../../config/address.js';
import type { KeyRing } from '../../config/key-ring.js';
import type { Timers } from '../../ports/timers.js';
import type { ClusterFile, ClusterFileNode } from './cluster-file.js';
import type { DevFiles } from './dev-files.js';
import { DevNode, type ServingNode } from './dev-node.js';
import { type DevNodePlan, urlFor } from './dev-plan.js';

export interface DevClusterOptions {
  readonly files: DevFiles;
  readonly plans: readonly DevNodePlan[];
  readonly keys: KeyRing;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timers: Timers;
  readonly onDeath: (plan: DevNodePlan, how: string) => void;
}

/** The nodes of one `memdb dev`. */
export class DevCluster {
  readonly #options: DevClusterOptions;
  #nodes: DevNode[] = [];

  constructor(options: DevClusterOptions) {
    this.#options = options;
  }

  /** Starts every node; resolves once all serve and `cluster.json` is written. Rejects with the first failure. */
  async start(): Promise<ClusterFile> {
    const { files, plans, keys, environment, timers, onDeath } = this.#options;
    for (const plan of plans) files.writeNodeConfig(plan, plans);
    this.#nodes = plans.map((plan) => {
      const died = (how: string): void => {
        files.updateCluster(plan.index, { pid: null });
        onDeath(plan, how);
      };
      return new DevNode({ plan, environment, timers, onDeath: died });
    });
    const serving = await Promise.all(this.#nodes.map((node) => node.serving));
    const cluster: ClusterFile = {
      clientUrl: urlFor('client', keys, plans),
      adminUrl: urlFor('admin', keys, plans),
      manager: null,
      nodes: this.#nodes.map((node, offset) => describe(node, serving[offset])),
    };
    files.writeCluster(cluster);
    return cluster;
  }

  /** Ends every node. Those that `memdb dev start` runs end themselves when `cluster.json` is gone. */
  async stop(now: boolean): Promise<void> {
    this.#options.files.removeCluster();
    await Promise.all(this.#nodes.map((node) => node.stop(now)));
  }
}

function describe(node: DevNode, serving: ServingNode | undefined): ClusterFileNode {
  return {
    id: serving?.id ?? '',
    number: serving?.number ?? 0,
    address: formatAddress(node.plan.address),
    http: formatAddress(node.plan.http),
    pid: node.pid,
    dataDir: node.plan.dataDir,
  };
}
