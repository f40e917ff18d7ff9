import test from 'ava';
import { SMALL_SEGMENT_BYTES, StorageWorld } from '../harness/storage-world.js';

test('a log that goes on after a clean end and at once needs the next segment is read back', (t) => {
  const world = new StorageWorld(1);
  const large = 'x'.repeat(SMALL_SEGMENT_BYTES / 3);
  world.set('first', large, 1);
  world.set('second', large, 2);
  world.settle();
  world.close();
  world.open();
  // It does not fit behind the others: nothing is written over the header of the clean end.
  world.set('third', large, 3);
  world.settle();
  for (const end of [() => world.crash({ powerLoss: true }), () => world.close()]) {
    end();
    world.open();
    for (const key of ['first', 'second', 'third']) t.is(world.get(key), large);
  }
});
