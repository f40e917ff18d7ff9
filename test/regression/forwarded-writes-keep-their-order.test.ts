import test from 'ava';
import { LEVEL } from '../harness/bare-client.js';
import { hashOf } from '../harness/sim-audit.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

/**
 * Found by `npm run sim -- --seed 2 --workload bare`: a node that holds no replica of a key forwarded a write to an owner
 * that did not answer, and the next one of the same connection to another owner, which acknowledged it. The first one was
 * stamped later, and stood.
 */
test('a write is not forwarded past an earlier one of its connection that waits for another owner', (t) => {
  const world = new SimWorld(1);
  const cluster = new SimCluster(world, { nodes: 4 });
  cluster.start();
  cluster.awaitReady();
  const session = new SimSession(cluster);
  const [key, ...owners] = keyOfOthers(cluster, 'n1');
  const line = session.to('n1');
  const other = session.to('n2');
  session.set('n1', key, 'before');
  world.cut('n1', owners[0]);
  const answers: { what: string; outcome: string; counter: number }[] = [];
  const note =
    (what: string) =>
    ({ error, counter }: { error?: { outcome: string }; counter: number }): void => {
      answers.push({ what, outcome: error?.outcome ?? 'acknowledged', counter });
    };
  line.set(key, 'first', LEVEL.quorum, note('first'), 20_000);
  const suspected = (): boolean => cluster.node('n1').membership?.reachable(numberOf(cluster, owners[0])) === false;
  t.true(world.runUntil(suspected, world.nowMs + 10_000));
  line.set(key, 'second', LEVEL.quorum, note('second'), 20_000);
  world.run(world.nowMs + 100);
  t.deepEqual(answers, [{ what: 'second', outcome: 'not-applied', counter: 0 }]);
  // Other connections, and other keys, have nothing to wait for.
  t.is(session.set('n1', keyOfOthers(cluster, 'n1', key)[0], 'other').error, undefined);
  other.set(key, 'of another connection', LEVEL.quorum, note('other'), 20_000);
  world.run(world.nowMs + 100);
  t.is(answers.at(-1)?.outcome, 'acknowledged');
  world.heal();
  t.true(world.runUntil(() => answers.length === 3, world.nowMs + 10_000));
  t.is(answers.at(-1)?.outcome, 'acknowledged');
  line.set(key, 'third', LEVEL.quorum, note('third'), 20_000);
  t.true(world.runUntil(() => answers.length === 4, world.nowMs + 10_000));
  t.is(session.get('n3', key).value, 'third');
  t.deepEqual([...cluster.fatal], []);
});

/** A key of which a node holds no replica, and the names of those that do, in the order in which they are asked. */
function keyOfOthers(cluster: SimCluster, name: string, except?: string): [string, ...string[]] {
  const { replication, number } = cluster.node(name);
  if (replication === undefined) throw new Error(`${name} is not in a cluster`);
  for (let index = 0; ; index++) {
    const key = `key-${index}`;
    const owners = [...replication.sets.preferenceOfHash(hashOf(cluster, key))];
    if (owners.includes(number) || key === except) continue;
    return [key, ...owners.map((owner) => cluster.names.find((each) => cluster.node(each).number === owner) ?? '')];
  }
}

function numberOf(cluster: SimCluster, name: string): number {
  return cluster.node(name).number;
}
