import test from 'ava';
import { LEVEL } from '../harness/bare-client.js';
import { ownersOf } from '../harness/owner-versions.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

/**
 * Found by `npm run sim -- --seed 24`: a read waited for its own log, to vote with an older version. Meanwhile others
 * had voted, and when the log got there the node counted itself as a holder of their newer version.
 */
test('a quorum read is not answered before a majority holds durably what it returns', (t) => {
  const world = new SimWorld(1);
  const cluster = new SimCluster(world, { nodes: 3 });
  cluster.start();
  cluster.awaitReady();
  const session = new SimSession(cluster);
  const clients = cluster.names.map((name) => session.to(name));
  world.run(world.nowMs + 2000);
  // n1 syncs slowly, n3 too once it has the older version, and n3 hears nothing of what n2 writes.
  Object.assign(world.disk('n1').behaviour, { syncMsMin: 300, syncMsMax: 300 });
  world.cut('n2', 'n3', { oneWay: true });
  let read: number | undefined;
  clients[0].set('key', 'older', LEVEL.one, () => {});
  world.run(world.nowMs + 20);
  Object.assign(world.disk('n3').behaviour, { syncMsMin: 700, syncMsMax: 700 });
  // n2 has the newer one when n1 asks it, and n1 gets it when the read has begun.
  clients[1].set('key', 'newer', LEVEL.one, () => {});
  clients[0].get('key', LEVEL.quorum, (reply) => {
    if (reply.error !== undefined) return;
    read = reply.counter;
    const holders = ownersOf(world, cluster, 'key').filter(
      (held) => held !== 'down' && held.stamp.counter >= reply.counter && held.durable,
    );
    t.true(holders.length >= 2, `${holders.length} holders of @${reply.counter}`);
  });
  world.runUntil(() => read !== undefined, world.nowMs + 3000);
  world.heal();
  world.run(world.nowMs + 3000);
  t.deepEqual([...cluster.fatal], []);
});
