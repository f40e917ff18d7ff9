import test from 'ava';
import { LEVEL } from '../harness/bare-client.js';
import { ownersOf } from '../harness/owner-versions.js';
import { SimChange } from '../harness/sim-change.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

interface Stage {
  readonly world: SimWorld;
  readonly cluster: SimCluster;
  readonly session: SimSession;
  readonly change: SimChange;
}

/** Three nodes that form a cluster, and others that wait to join. */
function staged(seed: number, nodes = 4): Stage {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, { nodes, founders: 3 });
  cluster.start();
  cluster.awaitReady(['n1', 'n2', 'n3']);
  return { world, cluster, session: new SimSession(cluster), change: new SimChange(cluster) };
}

function fill(session: SimSession, keys: number, value = 'v'): string[] {
  const names = Array.from({ length: keys }, (_, index) => `key-${index}`);
  for (const name of names) session.set('n1', name, `${value} ${name}`);
  return names;
}

test('a node that joins holds what it owns, and reads find it there', (t) => {
  const { cluster, session, change, world } = staged(1);
  const keys = fill(session, 200);
  change.begin('n1', [change.joinOf('n4')], cluster.names);
  change.awaitComplete(cluster.names);
  change.commit('n2', cluster.names);
  for (const key of keys) {
    t.is(session.get('n4', key, LEVEL.quorum).value, `v ${key}`);
    for (const version of ownersOf(world, cluster, key))
      t.true(version !== 'down' && version.text() === `v ${key}`, key);
  }
  for (const name of ['n1', 'n2', 'n3']) change.awaitDrained(name);
});
