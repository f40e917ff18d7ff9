import test from 'ava';
import { verifySegment } from '../../src/storage/log-inspect.js';
import { COPY_ID_FIRST } from '../../src/storage/segment-header.js';
import { StorageWorld } from '../harness/storage-world.js';

test('log verify reads a segment that compaction made: its records keep their LSNs, so there are gaps', (t) => {
  const world = new StorageWorld(1);
  let counter = 0;
  for (let round = 0; round < 20; round++) {
    for (let index = 0; index < 60; index++) {
      if (round === 0 || index % 3 !== 0) world.set(`key-${index}`, `${round}`.padEnd(400, '.'), ++counter);
    }
    world.settle();
  }
  world.run(60_000);
  const snapshot = world.store.snapshot();
  const copies = snapshot?.segments.filter(({ segment }) => segment.id >= COPY_ID_FIRST) ?? [];
  t.true(copies.length > 0, 'nothing was compacted');
  for (const { segment, bytes } of copies) {
    const report = verifySegment(segment.bytes.slice(0, bytes));
    t.is(report.problem, undefined);
    t.is(report.bytes, bytes);
    t.is(report.lastLsn, segment.lastLsn);
    t.true(report.lastLsn - report.firstLsn >= report.records, 'there is no gap in it');
  }
  snapshot?.release();
});
