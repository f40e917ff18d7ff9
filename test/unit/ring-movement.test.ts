import test from 'ava';
import { movement, type Placement } from 'hash-ring-ts';

function table(replicas: number, ...owners: number[]): Placement {
  return { partitions: owners.length / replicas, replicas, owners: Uint16Array.from(owners) };
}

test('a new order of the same owners copies nothing', (t) => {
  t.deepEqual(movement(table(2, 0, 1, 1, 0), ['a', 'b'], table(2, 1, 0, 0, 1), ['a', 'b']), { moved: 0, necessary: 0 });
});

test('nodes are compared by name, not by index', (t) => {
  t.deepEqual(movement(table(1, 0, 1), ['a', 'b'], table(1, 1, 0), ['b', 'a']), { moved: 0, necessary: 0 });
});

test('slots that change places between nodes are moved but were not necessary', (t) => {
  t.deepEqual(movement(table(1, 0, 1), ['a', 'b'], table(1, 1, 0), ['a', 'b']), { moved: 2, necessary: 0 });
});

test('every slot of a replica more per partition is a copy', (t) => {
  t.deepEqual(movement(table(1, 0, 0), ['a'], table(2, 0, 1, 1, 0), ['a', 'b']), { moved: 2, necessary: 2 });
});

test('a node that left takes nothing along', (t) => {
  t.deepEqual(movement(table(2, 0, 1, 0, 1), ['a', 'b'], table(1, 0, 0), ['b']), { moved: 0, necessary: 0 });
});

test('tables of different sizes cannot be compared', (t) => {
  const error = t.throws(() => movement(table(1, 0), ['a'], table(1, 0, 0), ['a']), { instanceOf: RangeError });
  t.is(error?.message, 'tables of 1 and 2 partitions cannot be compared');
});
