import { encodeTopology } from '@memdb/protocol';
import type { BrokenPromises } from './broken-promise.js';
import type { SimCluster } from './sim-cluster.js';

/** One value per epoch, over all nodes and all their restarts (mechanisms: Epochs). */
export class EpochWatch {
  readonly #values: Map<number, string> = new Map();
  readonly #broken: BrokenPromises;

  constructor(broken: BrokenPromises) {
    this.#broken = broken;
  }

  /** The highest epoch that was in force anywhere. */
  get highest(): number {
    return Math.max(0, ...this.#values.keys());
  }

  /** A node says that an epoch is in force. */
  onEpoch(cluster: SimCluster, name: string): void {
    const { topology } = cluster.node(name);
    if (topology === undefined) return;
    const value = Buffer.from(encodeTopology(topology)).toString('base64');
    const known = this.#values.get(topology.epoch);
    if (known === undefined) this.#values.set(topology.epoch, value);
    else if (known !== value) this.#broken.add(`epoch ${topology.epoch} has another value at ${name} than elsewhere`);
  }
}
