import { CounterEntryList } from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import { CounterSum, raise } from '../../src/counters/counter-sum.js';
import { MergedEntries } from '../../src/counters/merged-entries.js';
import { CounterStore, textOf } from '../harness/counter-store.js';

const VALUE_MAX = 2n ** 63n - 1n;
const VALUE_MIN = -(2n ** 63n);
const SUM_MAX = 2n ** 64n - 1n;

const high = (value: bigint): number => Number(value >> 32n);
const low = (value: bigint): number => Number(value & 0xffffffffn);

/** Sums near where halves carry over, and at the ends of the range. */
const sum = fc.oneof(
  fc.bigInt({ min: 0n, max: SUM_MAX }),
  fc
    .tuple(fc.constantFrom(0n, 2n ** 32n, 2n ** 63n, SUM_MAX - 3n), fc.bigInt({ min: 0n, max: 3n }))
    .map(([a, b]) => a + b),
);
const amounts = sum.map((value) => (value > 2n ** 63n ? value - 2n ** 63n : value));

function listOf(entries: readonly (readonly [bigint, bigint])[]): CounterEntryList {
  const list = new CounterEntryList();
  for (const [index, [added, subtracted]] of entries.entries()) {
    list.push(index + 1, 0, 1, high(added), low(added), high(subtracted), low(subtracted));
  }
  return list;
}

test('a sum of entries is what bigints say, in range or beyond it, and so is whether an add may be taken', (t) => {
  const property = fc.property(
    fc.array(fc.tuple(sum, sum), { maxLength: 12 }),
    amounts,
    fc.boolean(),
    (entries, amount, subtracts) => {
      const counted = new CounterSum();
      counted.of(listOf(entries));
      const value = entries.reduce((total, [added, subtracted]) => total + added - subtracted, 0n);
      t.is(BigInt(counted.high) * 2n ** 32n + BigInt(counted.low), value);
      const inRange = value >= VALUE_MIN && value <= VALUE_MAX;
      t.is(counted.isInRange, inRange);
      const next = subtracts ? value - amount : value + amount;
      t.is(counted.mayTake(high(amount), low(amount), subtracts), subtracts ? next >= VALUE_MIN : next <= VALUE_MAX);
      if (!inRange) return;
      const bytes = new DataView(new ArrayBuffer(8));
      counted.write(bytes, 0);
      t.is(bytes.getBigInt64(0, true), value);
    },
  );
  fc.assert(property, { numRuns: 400 });
});

test('raising an entry adds to one of its sums, and refuses what 64 bits do not hold', (t) => {
  const property = fc.property(sum, sum, amounts, fc.boolean(), (added, subtracted, amount, subtracts) => {
    const list = listOf([[added, subtracted]]);
    const raised = raise(list, 0, 9, high(amount), low(amount), subtracts);
    const next = subtracts ? [added, subtracted + amount] : [added + amount, subtracted];
    const fits = next.every((one) => one <= SUM_MAX);
    t.is(raised, fits);
    const [a, s] = fits ? next : [added, subtracted];
    t.deepEqual(textOf(list), [`1/0 @${fits ? 9 : 1} +${a} -${s}`]);
  });
  fc.assert(property, { numRuns: 400 });
});

/** What each of some nodes added and subtracted, one after the other: only sums that grow. */
const history = fc.array(fc.tuple(fc.nat(9), fc.boolean()), { minLength: 1, maxLength: 6 });
const histories = fc.array(history, { minLength: 1, maxLength: 4 });

interface State {
  readonly node: number;
  readonly counter: number;
  readonly added: bigint;
  readonly subtracted: bigint;
}

function statesOf(histories: readonly (readonly (readonly [number, boolean])[])[]): State[][] {
  return histories.map((adds, index) => {
    let added = 0n;
    let subtracted = 0n;
    return adds.map(([amount, subtracts], at): State => {
      if (subtracts) subtracted += BigInt(amount);
      else added += BigInt(amount);
      return { node: index + 1, counter: 10 * at + index + 1, added, subtracted };
    });
  });
}

function toList(states: readonly State[]): CounterEntryList {
  const list = new CounterEntryList();
  for (const { node, counter, added, subtracted } of states) {
    list.push(node, 0, counter, high(added), low(added), high(subtracted), low(subtracted));
  }
  return list;
}

test('merging is commutative, associative and idempotent, and takes the larger of each sum', (t) => {
  const property = fc.property(
    histories,
    fc.array(fc.array(fc.nat(), { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 5 }),
    fc.infiniteStream(fc.nat()),
    (all, picks, order) => {
      const states = statesOf(all);
      // What each replica holds: of each entry some state, or none.
      const replicas = picks.map((pick) =>
        states.flatMap((ofNode, index) => {
          const at = pick[index] % (ofNode.length + 1);
          return at === 0 ? [] : [ofNode[at - 1]];
        }),
      );
      const model = new Map<number, { added: bigint; subtracted: bigint }>();
      for (const { node, added, subtracted } of replicas.flat()) {
        const known = model.get(node) ?? { added: 0n, subtracted: 0n };
        model.set(node, {
          added: known.added > added ? known.added : added,
          subtracted: known.subtracted > subtracted ? known.subtracted : subtracted,
        });
      }
      const merged = new MergedEntries();
      for (const [index, replica] of replicas.entries()) merged.add(toList(replica), 1 << index);
      const again = new MergedEntries();
      const shuffled = [...replicas.entries(), ...replicas.entries()];
      for (const [to] of shuffled.entries()) {
        const from = Number(order.next().value) % shuffled.length;
        [shuffled[to], shuffled[from]] = [shuffled[from], shuffled[to]];
      }
      for (const [index, replica] of shuffled) again.add(toList(replica), 1 << index);
      // Two merged on their own first.
      const left = new MergedEntries();
      for (const replica of replicas.slice(0, 2)) left.add(toList(replica), 1);
      const right = new MergedEntries();
      for (const replica of replicas.slice(2)) right.add(toList(replica), 1);
      right.add(left.list, 1);
      t.deepEqual(textOf(again.list), textOf(merged.list));
      t.deepEqual(textOf(right.list), textOf(merged.list));
      const sums = textOf(merged.list).map((one) => one.replace(/ @\d+/, ''));
      t.deepEqual(
        sums,
        [...model.entries()].map(([node, { added, subtracted }]) => `${node}/0 +${added} -${subtracted}`).sort(),
      );
      for (const [index, replica] of replicas.entries()) {
        const lacking = new CounterEntryList();
        merged.lackedBy(1 << index, lacking);
        const held = toList(replica);
        t.deepEqual(
          textOf(lacking),
          textOf(merged.list).filter((one) => !textOf(held).includes(one)),
        );
        t.is(merged.isHeldBy(1 << index), lacking.count === 0);
      }
    },
  );
  fc.assert(property, { numRuns: 200 });
});

const step = fc.record({
  kind: fc.constantFrom('add', 'add', 'add', 'add', 'send', 'send', 'resend', 'crash', 'drop', 'churn'),
  store: fc.nat(2),
  other: fc.nat(1),
  counter: fc.nat(2),
  amount: fc.integer({ min: -5, max: 9 }),
});

test('three stores that count, send each other their logs, crash and drop partitions end with the sum of all adds', (t) => {
  const property = fc.property(fc.nat(1000), fc.array(step, { minLength: 5, maxLength: 50 }), (seed, steps) => {
    const stores = [1, 2, 3].map((self) => new CounterStore(seed + self, self, { partitions: 2 }));
    const model = [0n, 0n, 0n];
    for (const { kind, store: index, other, counter, amount } of steps) {
      const store = stores[index];
      const peer = stores[(index + 1 + other) % 3];
      switch (kind) {
        case 'add':
          store.add(`counter ${counter}`, BigInt(amount));
          model[counter] += BigInt(amount);
          store.world.settle();
          break;
        case 'send':
          peer.catchUp(store, true);
          peer.world.settle();
          break;
        case 'resend':
          // Late, and again, from the middle of the log on.
          peer.catchUp(store, false, Math.floor(store.world.store.lastLsn / 2));
          peer.world.settle();
          break;
        case 'crash':
          store.restart(amount > 0);
          break;
        case 'drop': {
          // The peer holds it all first: then the partition moves on, and may come back.
          peer.catchUp(store, true);
          peer.world.settle();
          let dropped = false;
          store.world.store.drop(other, () => {
            dropped = true;
          });
          store.world.world.runUntil(() => dropped, store.world.world.nowMs + 1000);
          store.world.settle();
          break;
        }
        case 'churn':
          for (let version = 0; version < 60; version++) store.world.set('other', 'x'.repeat(4000), 1000 + version);
          store.world.settle();
          store.world.run(2000);
          break;
      }
    }
    for (const from of stores) for (const to of stores) if (from !== to) to.catchUp(from, true);
    for (const from of stores) for (const to of stores) if (from !== to) to.catchUp(from, true);
    for (const [counter, expected] of model.entries()) {
      for (const store of stores) t.is(store.value(`counter ${counter}`), expected, `counter ${counter}`);
    }
    const [one, two, three] = stores.map(({ world }) =>
      [0, 1].map((partition) => world.store.audit.list(partition, 0, 1e6).length),
    );
    t.deepEqual([two, three], [one, one]);
  });
  fc.assert(property, { numRuns: 60 });
});
