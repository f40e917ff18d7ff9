import test from 'ava';
import { SMALL_SEGMENT_BYTES, StorageWorld } from '../harness/storage-world.js';

const KEYS = 20_000;
const TURN_WRITES = 1000;
const VALUE = 'x'.repeat(100);

test('compaction keeps up with long turns, in which a timer has one chance only', (t) => {
  const world = new StorageWorld(1, { durability: 'none' });
  let counter = 0;
  let peakBytes = 0;
  for (let turn = 0; turn < 200; turn++) {
    for (let write = 0; write < TURN_WRITES; write++) {
      counter++;

      world.set(`key-${(Math.imul(counter, 0x9e3779b1) >>> 8) % KEYS}`, VALUE, counter);
    }
    world.store.commit();
    world.run(1);
    if (turn > 60) peakBytes = Math.max(peakBytes, world.store.stats().segmentBytes);
  }
  const { liveBytes } = world.store.stats();
  // Twice what is live, and four segments: the active one, the copy, and its two victims.
  t.true(peakBytes <= 2 * liveBytes + 4 * SMALL_SEGMENT_BYTES, `${peakBytes} bytes for ${liveBytes} live`);
  for (let key = 0; key < KEYS; key++) t.is(world.get(`key-${key}`), VALUE);
});
