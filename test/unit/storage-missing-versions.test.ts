import type { AuditVersion } from '@memdb/protocol';
import test from 'ava';
import { RecordKind } from '../../src/model/record.js';
import { NO_FLOOR } from '../../src/storage/floors.js';
import { missingVersions } from '../../src/storage/missing-versions.js';

const none = (): boolean => false;
const value = (hash: number, counter: number, node = 1): AuditVersion => ({
  hash,
  counter,
  node,
  kind: RecordKind.value,
});
const tombstone = (hash: number, counter: number): AuditVersion => ({
  hash,
  counter,
  node: 1,
  kind: RecordKind.tombstone,
});

test('what the peer holds alone, or in a newer version, is missing; what is older there is not', (t) => {
  const own = [value(1, 10), value(2, 10), value(3, 10, 2)];
  const theirs = [value(1, 10), value(2, 11), value(3, 10, 1), value(4, 1)];
  t.deepEqual(missingVersions(own, theirs, NO_FLOOR, none), [value(2, 11), value(4, 1)]);
});

test('two keys of one hash do not hide each other', (t) => {
  // The peer lists both, this replica holds the newer one: the older may be another key.
  t.deepEqual(missingVersions([value(1, 20)], [value(1, 20), value(1, 10)], NO_FLOOR, none), [value(1, 10)]);
  t.deepEqual(missingVersions([value(1, 20), value(1, 30)], [value(1, 10)], NO_FLOOR, none), [value(1, 10)]);
});

test('a tombstone that was purged here is not fetched again, one above the floor is', (t) => {
  const floor = { counter: 44, node: 1, cutoffMs: 0 };
  t.deepEqual(missingVersions([], [tombstone(1, 44), tombstone(2, 45)], floor, none), [tombstone(2, 45)]);
  // This replica holds an older value: the tombstone still has to hide it.
  t.deepEqual(missingVersions([value(3, 20)], [tombstone(3, 30)], floor, none), [tombstone(3, 30)]);
});
