import test from 'ava';
import { LEVEL } from '../harness/bare-client.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

/**
 * Found by `npm run sim -- --seed 40`: a write at `all` that somebody else's newer version superseded was stamped again
 * above a later write of the same connection, which had been answered since it asked for one owner only.
 */
test('a write that is stamped again does not overtake a later one, at a weaker level, of its connection', (t) => {
  const world = new SimWorld(1);
  const cluster = new SimCluster(world, { nodes: 3 });
  cluster.start();
  cluster.awaitReady();
  const session = new SimSession(cluster);
  const [first, second] = [session.to('n1'), session.to('n2')];
  world.run(world.nowMs + 2000);
  // n2 has a newer version, of which n1 hears only when it is told why its own is refused.
  world.cut('n2', 'n1', { oneWay: true });
  second.counter = 10_000;
  second.set('key', 'of somebody else', LEVEL.one, () => {});
  world.run(world.nowMs + 50);
  const stamps: number[] = [];
  let unknown = 0;
  first.set('key', 'earlier', LEVEL.all, ({ error, counter }) => {
    if (error === undefined) stamps[0] = counter;
    else if (error.outcome === 'unknown') unknown++;
  });
  first.set('key', 'later', LEVEL.one, ({ counter }) => {
    stamps[1] = counter;
  });
  world.run(world.nowMs + 200);
  world.heal();
  world.run(world.nowMs + 3000);
  t.true(stamps[1] > 0);
  t.true(unknown === 1 || stamps[0] < stamps[1], `stamps ${stamps}`);
  t.not(session.get('n3', 'key').value, 'earlier');
});
