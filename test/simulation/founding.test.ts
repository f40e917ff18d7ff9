import test from 'ava';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimWorld } from '../harness/sim-world.js';

const SEEDS = 40;

/** Everything that the nodes took for epoch 1, in memory and durably: more than one is two clusters. */
function epochs(cluster: SimCluster): Set<string> {
  return new Set(
    cluster.names.flatMap((name) => {
      const node = cluster.node(name);
      const { clusterId = [], hashSeed = 0 } = node.topology ?? {};
      const durable = Buffer.from(node.store?.meta('epoch') ?? []);
      return [`${Buffer.from(clusterId).toString('hex')} ${hashSeed} ${durable.toString('hex')}`];
    }),
  );
}

test('founders that start, hang and lose power at any step form one epoch 1, which restarts keep', (t) => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new SimWorld(seed);
    const { random } = world;
    const cluster = new SimCluster(world, { nodes: seed % 3 === 0 ? 5 : 3 });
    for (const name of cluster.names) {
      // A disk so slow that a founder is asked again before its pledge is durable.
      if (random.chance(0.3)) Object.assign(world.disk(name).behaviour, { slowChance: 0.5, slowMs: 700 });
      world.at(random.below(600), () => cluster.start([name]));
      for (let crash = random.below(4); crash > 0; crash--) {
        const atMs = 600 + random.below(1500);
        world.at(atMs, () => {
          if (world.isRunning(name)) cluster.crash(name, { powerLoss: random.chance(0.5) });
        });
        world.at(atMs + random.below(700), () => {
          if (!world.isRunning(name)) cluster.start([name]);
        });
      }
    }
    world.run(3000);
    cluster.awaitReady();
    t.is(epochs(cluster).size, 1, `seed ${seed}`);
    for (const name of cluster.names) cluster.crash(name);
    cluster.start();
    cluster.awaitReady();
    t.is(epochs(cluster).size, 1, `seed ${seed}, after a restart`);
  }
});
