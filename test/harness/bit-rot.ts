import { flipInFile, flipInMemory, places } from './flip-bits.js';
import type { Journal } from './journal.js';
import type { SimCluster } from './sim-cluster.js';
import type { SimRandom } from './sim-random.js';
import type { SimWorld } from './sim-world.js';

/**
 * Flips bits in one and the same replica of a run, in memory, in the files, or in both: the others are sound, so that
 * everything can be put right from them (mechanisms: Audit).
 */
export class BitRot {
  /** The node whose bits flip. */
  readonly victim: string;
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #journal: Journal;
  readonly #random: SimRandom;

  constructor(world: SimWorld, cluster: SimCluster, journal: Journal) {
    this.#world = world;
    this.#cluster = cluster;
    this.#journal = journal;
    this.#random = world.random.fork('bit-rot');
    this.victim = this.#random.pick(cluster.names);
  }

  /** Flips one bit of a durable record in memory or in its file, or one in each. */
  strike(): void {
    const { victim } = this;
    const random = this.#random;
    const { store } = this.#cluster.node(victim);
    if (store === undefined || !this.#world.isRunning(victim)) return;
    const durable = places(store).filter(({ segment, offset, bytes }) => offset + bytes <= segment.durableOffset);
    if (durable.length === 0) return;
    const place = random.pick(durable);
    const where = random.pick(['memory', 'memory', 'file', 'both'] as const);
    const byte = random.below(place.bytes);
    this.#journal.note(place.key, () => `bit rot at ${victim}, in ${where}: byte ${byte} of the record`);
    const image = this.#world.disk(victim);
    image.isDamaged = true;
    if (where !== 'file') flipInMemory(place, byte, random.below(8));
    if (where !== 'memory') flipInFile(image, place, random.below(place.bytes), random.below(8));
    this.#world.faults.bump('bit-flipped');
  }
}
