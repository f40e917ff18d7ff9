import test from 'ava';
import { StorageWorld } from '../harness/storage-world.js';

/**
 * A version that comes by a live stream after its key was purged here was refused, and yet appended to the log. Once
 * compaction had dropped the tombstone, nothing hid it from the next start.
 */
test('a version below the floor does not reach the log, and so not the index of the next start', (t) => {
  const sender = new StorageWorld(1);
  sender.set('k', 'late', 5);
  sender.settle();
  const receiver = new StorageWorld(2, { partitions: 1 });
  receiver.set('other', 'value', 9);
  receiver.delete('dead', 10);
  receiver.settle();
  const { store } = receiver;
  t.is(store.audit.purge(0, store.lastLsn, 0, 2 ** 50), 1);
  const before = store.lastLsn;
  const cursor = sender.store.logCursor(0);
  t.true(cursor.next());
  const { segment, offset, bytes } = cursor;
  const refused: number[] = [];
  const stored = store.ingestRun(
    segment.bytes,
    segment.view,
    offset,
    offset + bytes,
    segment.generation,
    offset,
    false,
    (_lsn, counter) => refused.push(counter),
  );
  t.true(stored);
  t.deepEqual(refused, [10]);
  t.is(store.lastLsn, before);
  receiver.settle();
  receiver.crash({ powerLoss: true });
  receiver.open();
  t.false(receiver.find('k'));
  t.is(receiver.get('other'), 'value');
});
