import {
  COUNTER_ENTRIES_MAX,
  COUNTER_ENTRY_BYTES,
  Consistency,
  CounterEntryList,
  counterListBytes,
  decodeCounterAdd,
  decodeCounterName,
  decodeCounterValue,
  encodeCounterAdd,
  MemDbError,
  ProtocolError,
  readCounterEntries,
  readCounterMerge,
  writeCounterList,
} from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import { textOf } from '../harness/counter-store.js';
import { viewOf } from '../harness/protocol-frames.js';

const u32 = fc.nat(2 ** 32 - 1);
const exact = fc.nat(2 ** 53 - 2);
const entry = fc.tuple(
  fc.integer({ min: 1, max: 65_535 }),
  exact,
  exact.map((counter) => counter || 1),
  u32,
  u32,
  u32,
  u32,
);
const entries = fc.uniqueArray(entry, { selector: ([node, generation]) => `${node}/${generation}`, maxLength: 20 });
const name = fc.uint8Array({ minLength: 1, maxLength: 40 });

function listOf(
  states: readonly (readonly [number, number, number, number, number, number, number])[],
): CounterEntryList {
  const list = new CounterEntryList();
  for (const state of states) list.push(...state);
  return list;
}

/** Every cut of `bytes`, and one byte more, is refused. */
function refusesOtherLengths(
  t: { throws: (run: () => unknown, expected: { instanceOf: typeof ProtocolError }) => unknown },
  bytes: Uint8Array,
  decode: (view: DataView, end: number) => unknown,
): void {
  const longer = new Uint8Array([...bytes, 0]);
  for (let end = 0; end <= longer.length; end++) {
    if (end === bytes.length) continue;
    const cut = longer.slice(0, end);
    t.throws(() => decode(viewOf(cut), end), { instanceOf: ProtocolError });
  }
}

test('a counterAdd is read back as it was written, and refused when it is cut or has bytes behind it', (t) => {
  const amounts = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n });
  const property = fc.property(name, amounts, (written, amount) => {
    const body = encodeCounterAdd(Consistency.one, written, amount);
    const add = decodeCounterAdd(viewOf(body), 0, body.length);
    const magnitude = BigInt(add.amountHigh) * 2n ** 32n + BigInt(add.amountLow);
    t.is(add.subtracts ? -magnitude : magnitude, amount);
    t.deepEqual(body.slice(add.nameStart, add.nameStart + add.nameLength), written);
    refusesOtherLengths(t, body, (view, end) => decodeCounterAdd(view, 0, end));
  });
  fc.assert(property, { numRuns: 60 });
});

test('an amount beyond the 64-bit range is refused before anything is sent', (t) => {
  for (const amount of [2n ** 63n + 1n, -(2n ** 63n) - 1n, 2n ** 200n]) {
    const error = t.throws(() => encodeCounterAdd(1, new Uint8Array(1), amount), { instanceOf: MemDbError });
    t.like(error, { code: 'counter-overflow', outcome: 'not-applied' });
  }
  const body = new Uint8Array([1, 0, 1, 0, 65, 1, 0, 0, 0, 0, 0, 0, 0x80]);
  t.throws(() => decodeCounterAdd(viewOf(body), 0, body.length), { instanceOf: ProtocolError });
});

test('a list of entries is read back as it was written, and refused when it is cut or has bytes behind it', (t) => {
  const property = fc.property(entries, name, (states, written) => {
    const list = listOf(states);
    const read = new CounterEntryList();
    const alone = new Uint8Array(counterListBytes(list, 0));
    writeCounterList(alone, viewOf(alone), 0, list, written, 0, 0);
    readCounterEntries(viewOf(alone), 0, alone.length, read);
    t.deepEqual(textOf(read), textOf(list));
    refusesOtherLengths(t, alone, (view, end) => readCounterEntries(view, 0, end, read));
    if (list.count === 0) return;
    const named = new Uint8Array(counterListBytes(list, written.length));
    writeCounterList(named, viewOf(named), 0, list, written, 0, written.length);
    const { start, length } = readCounterMerge(viewOf(named), 0, named.length, read);
    t.deepEqual(textOf(read), textOf(list));
    t.deepEqual(named.slice(start, start + length), written);
    refusesOtherLengths(t, named, (view, end) => readCounterMerge(view, 0, end, read));
  });
  fc.assert(property, { numRuns: 60 });
});

test('entries that no node sends are refused', (t) => {
  const refused = (states: Parameters<typeof listOf>[0], spoil?: (bytes: Uint8Array) => void): void => {
    const list = listOf(states);
    const bytes = new Uint8Array(counterListBytes(list, 0));
    writeCounterList(bytes, viewOf(bytes), 0, list, bytes, 0, 0);
    spoil?.(bytes);
    const read = new CounterEntryList();
    t.throws(() => readCounterEntries(viewOf(bytes), 0, bytes.length, read), { instanceOf: ProtocolError });
  };
  refused([[0, 1, 1, 0, 0, 0, 0]]);
  refused([[1, 1, 0, 0, 0, 0, 0]]);
  refused([
    [1, 1, 1, 0, 0, 0, 0],
    [1, 1, 2, 0, 0, 0, 0],
  ]);
  const one: Parameters<typeof listOf>[0] = [[1, 1, 1, 0, 0, 0, 0]];
  refused(one, (bytes) => bytes.set([1], 4 + 2));
  refused(one, (bytes) => bytes.fill(0xff, 4 + 4, 4 + 12));
  refused(one, (bytes) => bytes.fill(0xff, 4 + 12, 4 + 20));
  const many = Array.from({ length: COUNTER_ENTRIES_MAX + 1 }, (_, index) => [1, index, 1, 0, 0, 0, 0] as const);
  refused(many);
});

test('a value and a name are read back, and refused at any other length', (t) => {
  for (const value of [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const body = new Uint8Array(8);
    viewOf(body).setBigInt64(0, value, true);
    t.is(decodeCounterValue(viewOf(body), 0, 8), value);
    refusesOtherLengths(t, body, (view, end) => decodeCounterValue(view, 0, end));
  }
  const asked = new Uint8Array([0, 0, 2, 0, 65, 66]);
  t.deepEqual(decodeCounterName(viewOf(asked), 0, 6), { start: 4, length: 2 });
  refusesOtherLengths(t, asked, (view, end) => decodeCounterName(view, 0, end));
  t.throws(() => decodeCounterName(viewOf(new Uint8Array([0, 0, 0, 0])), 0, 4), { instanceOf: ProtocolError });
  t.is(COUNTER_ENTRY_BYTES, 36);
});
