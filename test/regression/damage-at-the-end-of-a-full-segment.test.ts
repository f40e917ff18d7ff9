import test from 'ava';
import { COPY_ID_FIRST } from '../../src/storage/segment-header.js';
import { LEVEL } from '../harness/bare-client.js';
import { flipInMemory, type Place, places } from '../harness/flip-bits.js';
import { equalTables, runUntilQuiet, storeOf } from '../harness/sim-audit.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

const HEALED_WITHIN_MS = 60_000;

/**
 * Found by `npm run sim -- --seed 12 --workload rot`: a bit flipped in the last record of a segment that is full to its
 * last byte, as copies are. The search for what comes behind the damage read beyond the segment, and ended the node.
 */
test('damage to the last record of a segment that compaction made is found and repaired', (t) => {
  const world = new SimWorld(1);
  const cluster = new SimCluster(world, { nodes: 3, segmentBytes: 128 * 1024 });
  cluster.start();
  cluster.awaitReady();
  const session = new SimSession(cluster);
  const lastOfCopy = (): Place | undefined =>
    places(storeOf(cluster, 'n2')).findLast(({ segment }) => segment.id >= COPY_ID_FIRST);
  for (let write = 0; write < 2000 && lastOfCopy() === undefined; write++) {
    session.set('n1', `key-${write % 7 === 0 ? write : write % 4}`, 'x'.repeat(2000), LEVEL.all);
  }
  // The disk takes what it is given as it was then: the copy is in its file before anything in memory rots.
  world.run(world.nowMs + 1000);
  const place = lastOfCopy();
  if (place === undefined) throw new Error('nothing was compacted');
  t.is(place.offset + place.bytes, place.segment.capacity);
  flipInMemory(place, 30, 3);
  t.true(runUntilQuiet(world, () => cluster.ports('n2').telemetry.logged('record-damaged') > 0, HEALED_WITHIN_MS));
  t.true(runUntilQuiet(world, () => equalTables(cluster), HEALED_WITHIN_MS));
  t.is(session.get('n2', place.key, LEVEL.one).value, 'x'.repeat(2000));
  t.deepEqual([...cluster.fatal], []);
});
