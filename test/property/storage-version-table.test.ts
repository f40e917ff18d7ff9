import test from 'ava';
import fc from 'fast-check';
import { NO_FLOOR } from '../../src/storage/floors.js';
import type { Store } from '../../src/storage/store.js';
import { StorageWorld } from '../harness/storage-world.js';

interface Version {
  readonly key: number;
  readonly counter: number;
}

const PARTITIONS = 16;

const versions = fc.array(fc.record({ key: fc.nat(12), counter: fc.integer({ min: 1, max: 40 }) }), { maxLength: 60 });

function apply(world: StorageWorld, { key, counter }: Version): void {
  // One stamp never has two contents: key and counter say whether it is a deletion.
  const node = key + 1;
  if ((key + counter) % 3 === 0) world.delete(`key-${key}`, counter, node);
  else world.set(`key-${key}`, `${counter}`, counter, node);
}

function tables(store: Store): string {
  return Array.from({ length: PARTITIONS }, (_, partition) => store.audit.tableOf(partition, NO_FLOOR).join()).join();
}

/** What each key's newest version is, by an obvious oracle. */
function newest(list: readonly Version[]): string {
  const held = new Map<number, number>();
  for (const { key, counter } of list) held.set(key, Math.max(held.get(key) ?? 0, counter));
  return [...held].sort(([a], [b]) => a - b).join();
}

test('tables are equal exactly when the newest versions are, whatever came in what order', (t) => {
  const property = fc.property(versions, versions, fc.nat(), (left, extra, turn) => {
    const one = new StorageWorld(1, { durability: 'none', partitions: PARTITIONS });
    const other = new StorageWorld(2, { durability: 'none', partitions: PARTITIONS });
    for (const version of left) apply(one, version);
    const rotated = [...left.slice(turn % (left.length + 1)), ...left.slice(0, turn % (left.length + 1))].reverse();
    for (const version of rotated) apply(other, version);
    t.is(tables(one.store), tables(other.store));
    for (const version of extra) apply(other, version);
    t.is(tables(one.store) === tables(other.store), newest(left) === newest([...left, ...extra]));
  });
  fc.assert(property, { numRuns: 200 });
});

test('tables are the same after recovery', (t) => {
  const property = fc.property(versions, (list) => {
    const world = new StorageWorld(3, { partitions: PARTITIONS });
    for (const version of list) apply(world, version);
    world.settle();
    const before = tables(world.store);
    world.crash({ powerLoss: true });
    world.open();
    t.is(tables(world.store), before);
  });
  fc.assert(property, { numRuns: 40 });
});
