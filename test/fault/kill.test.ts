import test from 'ava';
import { cyclesOf } from './fault-cycles.js';
import { Ledger } from './ledger.js';
import { Load } from './load.js';
import { agreement, readBack } from './read-back.js';
import { RealCluster } from './real-cluster.js';

test('every acknowledged write is found after kill -9 of one, two and all three nodes under load', async (t) => {
  const cycles = cyclesOf(20);
  const cluster = await RealCluster.start(t, { nodes: 3 });
  const client = await cluster.connect();
  const ledger = new Ledger();
  const killed = [0, 0, 0, 0];
  for (let cycle = 0; cycle < cycles; cycle++) {
    const begun = ledger.moment;
    const load = new Load(t, client, ledger);
    await load.more('acknowledged', 300 + 37 * (cycle % 7));
    const count = 1 + (cycle % 3);
    const victims = cluster.nodes.filter((_, index) => (index + cycle) % 3 < count);
    t.is(victims.length, count);
    await Promise.all(victims.map((node) => node.kill()));
    for (const { program } of victims) t.is((await program.ended).signal, 'SIGKILL');
    killed[count]++;
    // One of three is no loss to a majority; with two away a majority is refused, at once and for certain.
    if (count === 1) await load.more('acknowledged', 20);
    if (count === 2) await load.more('not-applied', 20);
    await Promise.all(victims.map((node) => node.start()));
    await load.more('acknowledged', 100);
    await load.stop();
    t.deepEqual(load.broken, []);
    t.deepEqual(await readBack(client, ledger, begun), [], `cycle ${cycle}: ${ledger.summary()}`);
  }
  t.deepEqual(await readBack(client, ledger), []);
  t.is(await agreement(client, ledger.keysSince(0)), undefined);
  t.log(`${cycles} cycles (one node ${killed[1]}, two ${killed[2]}, three ${killed[3]}): ${ledger.summary()}`);
});
