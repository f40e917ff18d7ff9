import { withSetting } from '../../src/topology/epoch-change.js';
import type { Journal } from './journal.js';
import type { SimCluster } from './sim-cluster.js';
import type { SimRandom } from './sim-random.js';
import type { SimWorld } from './sim-world.js';

/** Changes the cluster while it works: at random moments, at random nodes, several at once. */
export class Operator {
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #journal: Journal;
  readonly #random: SimRandom;
  readonly #intervalMs: number;
  #untilMs = 0;
  #asked = 0;

  constructor(world: SimWorld, cluster: SimCluster, journal: Journal, intervalMs: number) {
    this.#world = world;
    this.#cluster = cluster;
    this.#journal = journal;
    this.#random = world.random.fork('operator');
    this.#intervalMs = intervalMs;
  }

  run(untilMs: number): void {
    this.#untilMs = untilMs;
    this.#next();
  }

  #next(): void {
    const atMs = this.#world.nowMs - Math.log(1 - this.#random.unit()) * this.#intervalMs;
    if (atMs > this.#untilMs) return;
    this.#world.at(atMs, () => {
      this.#act();
      this.#next();
    });
  }

  #act(): void {
    const count = this.#random.pick([1, 1, 2]);
    for (let index = 0; index < count; index++) {
      const name = this.#random.pick(this.#cluster.names);
      if (!this.#world.isRunning(name)) continue;
      const { epochs, phase } = this.#cluster.node(name);
      if (epochs === undefined || phase !== 'running') continue;
      const value = String(++this.#asked);
      this.#journal.note(undefined, () => `${name} proposes epoch ${epochs.current.epoch + 1}, with ${value}`);
      epochs.propose(withSetting(epochs.current, 'simulated', value));
    }
  }
}
