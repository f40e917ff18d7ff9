import { keyHash } from '@memdb/protocol';
import test from 'ava';
import { LEVEL } from '../harness/bare-client.js';
import { ownersOf } from '../harness/owner-versions.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

/**
 * Found by `npm run sim -- --seed 19`: while a read wrote its version back, a replica answered late with a newer one.
 * That became what the read returned, and replicas that stored the older one counted as its holders.
 */
test('an answer that comes while a read writes back does not change what the read returns', (t) => {
  const world = new SimWorld(1);
  const cluster = new SimCluster(world, { nodes: 3 });
  cluster.start();
  cluster.awaitReady();
  const session = new SimSession(cluster);
  const [one, , three] = cluster.names.map((name) => session.to(name));
  world.run(world.nowMs + 2000);
  const key = keyThatAsksFirst(cluster, 'n1', 'n2');
  const slow = (name: string, ms: number): void => {
    Object.assign(world.disk(name).behaviour, { syncMsMin: ms, syncMsMax: ms });
  };
  // n2 hears nothing of n3 and has the first version, n1 has the second; the third only n3 knows.
  world.cut('n3', 'n2', { oneWay: true });
  one.set(key, 'first', LEVEL.one, () => {});
  world.run(world.nowMs + 50);
  three.set(key, 'second', LEVEL.one, () => {});
  world.run(world.nowMs + 50);
  world.cut('n3', 'n1', { oneWay: true });
  three.set(key, 'third', LEVEL.one, () => {});
  world.run(world.nowMs + 50);
  slow('n1', 1000);
  slow('n2', 300);
  // n1 asks n2, whose answer is late, so it asks n3 too.
  world.cut('n2', 'n1', { oneWay: true });
  let read = 0;
  one.get(key, LEVEL.quorum, (reply) => {
    read = reply.counter;
    const holders = ownersOf(world, cluster, key).filter(
      // Below a newer version that is not durable yet stands the one that is.
      (held) =>
        held !== 'down' &&
        (held.stamp.counter > reply.counter || (held.stamp.counter === reply.counter && held.durable)),
    );
    t.true(holders.length >= 2, `${holders.length} holders of @${reply.counter}`);
  });
  world.run(world.nowMs + 120);
  // Now n2 is to store the second version, which takes its time.
  world.heal('n2', 'n1');
  world.run(world.nowMs + 50);
  world.heal('n3', 'n1');
  world.runUntil(() => read !== 0, world.nowMs + 3000);
  t.true(read > 0);
});

/** A key for which one node asks a certain other one before all others. */
function keyThatAsksFirst(cluster: SimCluster, asker: string, asked: string): string {
  const { replication, number } = cluster.node(asker);
  for (let index = 0; ; index++) {
    const bytes = Buffer.from(`key-${index}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const hash = keyHash(bytes, view, 0, bytes.length, replication?.hashSeed ?? 0);
    const preference = replication?.sets.preferenceOfHash(hash) ?? [];
    if ([...preference].find((member) => member !== number) === cluster.node(asked).number) return `key-${index}`;
  }
}
