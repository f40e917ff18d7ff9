import test from 'ava';
import { type BareClient, LEVEL } from '../harness/bare-client.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

const SEEDS = Array.from({ length: 12 }, (_, index) => 1000 + index);
const ROUNDS = 6;
const WRITES_PER_ROUND = 60;

/**
 * Load on all nodes, and in each round some nodes lose power, hang, or are cut off. What was acknowledged at quorum is
 * there at the end; so is the newest of what one client wrote to its own key.
 */
for (const seed of SEEDS) {
  test(`no acknowledged write is lost under crashes, pauses and cuts (seed ${seed})`, (t) => {
    const world = new SimWorld(seed);
    const cluster = new SimCluster(world, { nodes: 3 });
    cluster.start();
    cluster.awaitReady();
    const session = new SimSession(cluster);
    const acknowledged = new Map<string, string>();
    let written = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const clients = cluster.names.flatMap((name) => (world.isRunning(name) ? [session.to(name)] : []));
      for (let index = 0; index < WRITES_PER_ROUND; index++) write(world, clients, acknowledged, written++);
      hurt(world, cluster);
      world.run(world.nowMs + 2500);
      restore(world, cluster);
    }
    t.true(acknowledged.size > ROUNDS * 10, `only ${acknowledged.size} writes were acknowledged`);
    t.deepEqual([...cluster.fatal], []);
    for (const [key, value] of acknowledged) {
      const name = cluster.names[world.random.below(3)];
      t.is(session.get(name, key).value, value, `${key} at ${name}`);
    }
  });
}

function write(world: SimWorld, clients: BareClient[], acknowledged: Map<string, string>, index: number): void {
  const client = clients[world.random.below(clients.length)];
  world.at(world.nowMs + world.random.below(800), () => {
    if (client.closed) return;
    const key = `key-${index}`;
    const value = `${index}-${'x'.repeat(world.random.below(600))}`;
    client.set(key, value, LEVEL.quorum, (reply) => {
      if (reply.error === undefined) acknowledged.set(key, value);
    });
  });
}

function hurt(world: SimWorld, cluster: SimCluster): void {
  const victim = cluster.names[world.random.below(3)];
  const atMs = world.nowMs + world.random.below(800);
  switch (world.random.below(4)) {
    case 0:
      world.at(atMs, () => cluster.crash(victim));
      break;
    case 1:
      world.at(atMs, () => {
        for (const name of cluster.names) cluster.crash(name);
      });
      break;
    case 2:
      world.at(atMs, () => world.pause(victim));
      break;
    default:
      world.at(atMs, () => {
        for (const name of cluster.names)
          if (name !== victim) world.cut(victim, name, { oneWay: world.random.below(2) === 0 });
      });
  }
}

function restore(world: SimWorld, cluster: SimCluster): void {
  world.heal();
  for (const name of cluster.names) {
    if (!world.isRunning(name)) cluster.start([name]);
    else world.resume(name);
  }
  cluster.awaitReady();
}
