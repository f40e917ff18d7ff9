import { partitionOfHash } from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import { NO_FLOOR } from '../../src/storage/floors.js';
import { StorageWorld } from '../harness/storage-world.js';

const PARTITIONS = 2;
const KEYS = Array.from({ length: 8 }, (_, index) => `key-${index}`);

interface Version {
  readonly counter: number;
  readonly value: string | undefined;
}

/** What a store should hold: the newest version of each key among those that came since its partition was dropped. */
class Held {
  readonly #versions: Map<string, Version> = new Map();

  take(key: string, version: Version): void {
    const known = this.#versions.get(key);
    if (known === undefined || version.counter > known.counter) this.#versions.set(key, version);
  }

  drop(keys: readonly string[]): void {
    for (const key of keys) this.#versions.delete(key);
  }

  get(key: string): Version | undefined {
    return this.#versions.get(key);
  }
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('write'), key: fc.nat(7), counter: fc.integer({ min: 1, max: 60 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('delete'), key: fc.nat(7), counter: fc.integer({ min: 1, max: 60 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('drop', 'drop', 'drop and crash'),
      key: fc.nat(1),
      counter: fc.constant(0),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash'), key: fc.nat(1), counter: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart'), key: fc.nat(0), counter: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('churn'), key: fc.nat(0), counter: fc.constant(0) }) },
);

test('a dropped partition holds what came since, whatever has a higher stamp in the log, through crashes and compaction', (t) => {
  fc.assert(
    fc.property(fc.nat(1000), fc.array(step, { minLength: 5, maxLength: 40 }), (seed, steps) => {
      const world = new StorageWorld(seed, { partitions: PARTITIONS });
      const held = new Held();
      const partitionOf = (key: string): number => partitionOfHash(world.hashOf(key), PARTITIONS);
      // One stamp is one version.
      const used = new Set<string>();
      let churned = 0;
      for (const { kind, key: index, counter } of steps) {
        const key = KEYS[index];
        switch (kind) {
          case 'write':
          case 'delete': {
            if (used.has(`${key} ${counter}`)) break;
            used.add(`${key} ${counter}`);
            const value = kind === 'write' ? `${counter}`.padEnd(2000, '.') : undefined;
            if (value === undefined) world.delete(key, counter);
            else world.set(key, value, counter);
            held.take(key, { counter, value });
            break;
          }
          case 'drop':
          case 'drop and crash': {
            let isDone = false;
            world.store.drop(index, () => {
              isDone = true;
            });
            held.drop(KEYS.filter((one) => partitionOf(one) === index));
            if (kind === 'drop') world.world.runUntil(() => isDone, world.world.nowMs + 1000);
            else {
              world.settle();
              world.crash({ powerLoss: true });
              world.open();
            }
            break;
          }
          case 'churn':
            // Fills segments with what is dead soon, so that compaction moves the rest.
            for (let round = 0; round < 40; round++) world.set('churn', 'x'.repeat(8000), 100 + churned++);
            world.settle();
            world.run(2000);
            break;
          default:
            world.settle();
            if (kind === 'crash') world.crash({ powerLoss: index === 1 });
            else world.close();
            world.open();
        }
      }
      world.settle();
      world.run(500);
      for (const again of [false, true]) {
        for (const key of KEYS) {
          const version = held.get(key);
          t.is(world.find(key), version !== undefined, `${key}${again ? ' after a restart' : ''}`);
          if (version === undefined) continue;
          t.is(world.store.found.counter, version.counter);
          t.is(world.get(key), version.value);
        }
        world.close();
        world.open();
      }
      for (let partition = 0; partition < PARTITIONS; partition++) world.store.drop(partition, () => {});
      world.run(500);
      for (let partition = 0; partition < PARTITIONS; partition++) {
        t.deepEqual(world.store.audit.rootOf(partition), { first: 0, second: 0 });
        t.is(world.store.audit.mortalOf(partition), 0);
        t.is(world.store.audit.keysOf(partition), 0);
      }
    }),
    { numRuns: 60 },
  );
});

test('a dropped partition has no floor, and that of an earlier time does not come back with a restart', (t) => {
  const world = new StorageWorld(1, { partitions: 1 });
  world.delete('gone', 40);
  world.settle();
  t.is(world.store.audit.purge(0, world.store.lastLsn, 0, 100), 1);
  world.store.drop(0, () => {});
  t.deepEqual(world.store.audit.floorOf(0), NO_FLOOR);
  world.set('back', 'older than the floor', 7);
  for (const again of [false, true]) {
    t.is(world.get('back'), 'older than the floor', `${again}`);
    t.false(world.find('gone'));
    world.settle();
    world.crash({ powerLoss: true });
    world.open();
    t.deepEqual(world.store.audit.floorOf(0), NO_FLOOR);
  }
  t.true(world.store.highestCounter() >= 40, 'no stamp is given twice');
});

test('dropping gives the memory of the index back', (t) => {
  const world = new StorageWorld(1, { partitions: 1 });
  const before = world.store.stats().indexBytes;
  for (let key = 0; key < 3000; key++) world.set(`key-${key}`, 'x', key + 1);
  t.true(world.store.stats().indexBytes > before * 10);
  world.store.drop(0, () => {});
  world.run(1000);
  t.is(world.store.stats().indexBytes, before);
  t.is(world.store.stats().keys, 0);
});
