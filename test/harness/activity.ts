import type { SimCluster } from './sim-cluster.js';

/** Adds up what metrics of all processes of a run rose to: a process that ends takes its own with it. */
export class Activity {
  readonly #metrics: readonly string[];
  readonly #ended: Map<string, number> = new Map();

  constructor(metrics: readonly string[]) {
    this.#metrics = metrics;
  }

  /** The process of a node ends now. */
  onEnd(cluster: SimCluster, name: string): void {
    const { telemetry } = cluster.ports(name);
    for (const metric of this.#metrics) {
      this.#ended.set(metric, (this.#ended.get(metric) ?? 0) + (telemetry.metric(metric) ?? 0));
    }
  }

  /** By metric, all processes together. */
  total(cluster: SimCluster): Record<string, number> {
    return Object.fromEntries(
      this.#metrics.map((metric) => {
        const running = cluster.names.filter((name) => cluster.world.isRunning(name));
        const now = running.reduce((sum, name) => sum + (cluster.ports(name).telemetry.metric(metric) ?? 0), 0);
        return [metric, now + (this.#ended.get(metric) ?? 0)];
      }),
    );
  }
}
