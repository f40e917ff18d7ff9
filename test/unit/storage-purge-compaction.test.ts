import test from 'ava';
import { StorageWorld } from '../harness/storage-world.js';

const FAR = Number.MAX_SAFE_INTEGER;
const FILLER = 'x'.repeat(1000);

/**
 * Counterexample 7: an old version of `k` lies dead in a segment that stays, the version that hides it in one that is
 * compacted away. `hide` appends the latter.
 */
function compactedBehind(seed: number, hide: (world: StorageWorld, counter: number) => void): StorageWorld {
  const world = new StorageWorld(seed, { partitions: 1 });
  let counter = 1;
  const put = (key: string): number => world.set(key, FILLER, counter++);
  put('k');
  // The first segment stays: nearly all of it is live.
  for (let index = 0; index < 125; index++) put(`stays-${index}`);
  for (let index = 0; index < 100; index++) put(`moves-${index}`);
  hide(world, counter++);
  world.settle();
  world.store.audit.purge(0, world.store.lastLsn, 5000, FAR);
  const before = world.metric('compaction_groups_total');
  for (let round = 0; round < 6; round++) {
    for (let index = 0; index < 100; index++) put(`moves-${index}`);
    world.settle();
    world.run(2000);
  }
  if (world.metric('compaction_groups_total') === before) throw new Error('nothing was compacted');
  return world;
}

test('a purged tombstone that compaction moved goes on hiding what older segments hold', (t) => {
  const world = compactedBehind(1, (store, counter) => store.delete('k', counter));
  t.false(world.find('k'));
  for (const powerLoss of [true, false]) {
    world.crash({ powerLoss });
    world.open();
    t.false(world.find('k'));
    t.is(world.get('stays-5'), FILLER);
  }
});

test('a purged expired value does so too', (t) => {
  const world = compactedBehind(2, (store, counter) => store.set('k', 'expired', counter, 1, 4000));
  t.false(world.find('k'));
  for (const powerLoss of [true, false]) {
    world.crash({ powerLoss });
    world.open();
    t.false(world.find('k'), 'the version of the first segment is back');
    t.is(world.get('stays-5'), FILLER);
  }
});
