import test from 'ava';
import { LEVEL } from '../harness/bare-client.js';
import { flipInFile, flipInMemory, places } from '../harness/flip-bits.js';
import { equalTables, runUntilQuiet, storeOf } from '../harness/sim-audit.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

const HEALED_WITHIN_MS = 60_000;
/** Of the word that holds a record's kind and length. */
const LENGTH_AT = 8;

/**
 * Found by `npm run sim -- --seed 4 --workload rot`: a length flipped in memory, and the same record differs in the file.
 * The scrub of the file hashed as far as the length said, beyond the end of the segment, and ended the node.
 */
test('the scrub of a file survives a length in memory that leads out of the segment', (t) => {
  for (const bit of [14, 17, 20, 23]) {
    const world = new SimWorld(bit);
    const cluster = new SimCluster(world, { nodes: 3, segmentBytes: 128 * 1024 });
    cluster.start();
    cluster.awaitReady();
    const session = new SimSession(cluster);
    for (let key = 0; key < 4; key++) session.set('n1', `key-${key}`, `value-${key}`, LEVEL.all);
    world.run(world.nowMs + 200);
    const place = places(storeOf(cluster, 'n2')).find(({ key }) => key === 'key-2');
    if (place === undefined) throw new Error('n2 does not hold the key');
    // The flips come while a piece of the file is being read: the walk through memory has just passed.
    const { disk } = cluster.ports('n2');
    const readLater = disk.readLater.bind(disk);
    let flipped = false;
    disk.readLater = (...read): void => {
      readLater(...read);
      if (flipped) return;
      flipped = true;
      flipInMemory(place, LENGTH_AT + (bit >>> 3), bit & 7);
      flipInFile(world.disk('n2'), place, 26, 3);
    };
    t.true(runUntilQuiet(world, () => cluster.ports('n2').telemetry.logged('record-damaged') > 0, HEALED_WITHIN_MS));
    world.run(world.nowMs + HEALED_WITHIN_MS / 2);
    t.true(runUntilQuiet(world, () => equalTables(cluster), HEALED_WITHIN_MS));
    t.is(session.get('n2', 'key-2', LEVEL.one).value, 'value-2');
    t.deepEqual([...cluster.fatal], []);
  }
});
