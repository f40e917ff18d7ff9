import test from 'ava';
import { RecordKind } from '../../src/model/record.js';
import { CounterStore } from '../harness/counter-store.js';
import { flipInFile, flipInMemory, places } from '../harness/flip-bits.js';
import { bytesOf, viewOf } from '../harness/storage-world.js';

/** Two cycles of the scrub, and the time that its last step takes. */
const FOUND_WITHIN_MS = 45_000;
const GENERATION_SECOND = 2 ** 20 + 1;

test('a counter and a key of the same name, or the same bytes and hash, never meet', (t) => {
  const store = new CounterStore(1, 1);
  store.add('hits', 5n);
  t.is(store.world.get('hits'), undefined);
  store.world.set('hits', 'value', 9);
  store.add('hits', 1n);
  t.is(store.value('hits'), 6n);
  t.is(store.world.get('hits'), 'value');
  t.like(store.world.store.stats(), { keys: 1, entries: 1 });
  // A key that is, byte for byte, the key of the entry's record, hashed alike.
  const [entry] = places(store.world.store).filter(({ key }) => key !== 'hits');
  const { segment, offset } = entry;
  const record = segment.bytes.slice(offset + 24, offset + 24 + 14);
  const hash = store.hashOf('hits');
  const same = viewOf(record);
  t.false(store.world.store.lookup(hash, record, same, 0, record.length));
  store.world.store.append(RecordKind.value, 20, 1, hash, record, 0, record.length, record, 0, 4, 0);
  t.true(store.world.store.lookup(hash, record, same, 0, record.length));
  t.is(store.world.store.found.kind, RecordKind.value);
  t.is(store.value('hits'), 6n);
  const window = store.world.store.scanWindow;
  let keys = 0;
  let all = 0;
  for (let partition = 0; partition < 4; partition++) {
    window.collect(partition, 0, new Uint8Array(0), new Uint8Array(0), false);
    keys += window.count;
    window.collect(partition, 0, new Uint8Array(0), new Uint8Array(0), true);
    all += window.count;
  }
  t.deepEqual([keys, all], [2, 3]);
});

test('after a crash a node goes on with the entry that stands in its log', (t) => {
  for (const powerLoss of [false, true]) {
    const store = new CounterStore(2, 7);
    for (let round = 0; round < 30; round++) store.add('hits', -2n);
    store.world.settle();
    store.restart(powerLoss);
    t.deepEqual(store.entries('hits'), ['7/0 @30 +0 -60']);
    store.clock = 100;
    store.add('hits', 1n);
    t.deepEqual(store.entries('hits'), ['7/0 @101 +1 -60']);
    t.is(store.world.store.stats().entries, 1);
  }
});

test('an older state of an entry is no refusal: a newer one holds all of it', (t) => {
  const from = new CounterStore(3, 1);
  const to = new CounterStore(4, 2);
  from.add('hits', 1n);
  from.add('hits', 1n);
  t.is(to.catchUp(from, false), 0);
  t.is(to.catchUp(from, false), 0);
  t.is(to.catchUp(from, true), 0);
  t.deepEqual(to.entries('hits'), ['1/0 @2 +2 -0']);
});

test('an entry below the floor of its partition is taken in: entries are never deleted', (t) => {
  const from = new CounterStore(5, 1);
  const to = new CounterStore(6, 2, { partitions: 1 });
  from.add('hits', 1n);
  to.world.delete('key', 50);
  to.world.settle();
  t.is(to.world.store.audit.purge(0, to.world.store.lastLsn, 0, 50), 1);
  to.catchUp(from, true);
  t.is(to.value('hits'), 1n);
  const root = to.world.store.audit.rootOf(0);
  t.notDeepEqual(root, { first: 0, second: 0 });
  t.is(to.world.store.audit.tableOf(0, { counter: 60, node: 1, cutoffMs: 0 }).filter((word) => word !== 0).length, 2);
});

test('a dropped partition is counted in another generation from then on, across a crash too', (t) => {
  const store = new CounterStore(7, 1);
  const peer = new CounterStore(8, 2);
  store.add('hits', 10n);
  peer.catchUp(store, true);
  store.world.settle();
  store.world.store.drop(store.partitionOf('hits'), () => {});
  store.world.run(100);
  t.is(store.value('hits'), 0n);
  store.world.settle();
  store.restart(true);
  t.is(store.value('hits'), 0n);
  // Counted before what the peer holds has come back.
  store.clock = 50;
  store.add('hits', 1n);
  store.catchUp(peer, true);
  peer.catchUp(store, true);
  const whole = ['1/0 @1 +10 -0', `1/${GENERATION_SECOND} @51 +1 -0`];
  t.deepEqual(store.entries('hits'), whole);
  t.deepEqual(peer.entries('hits'), whole);
});

test('an entry of this node that comes back from a peer, and is not held here, is not continued', (t) => {
  const first = new CounterStore(9, 1);
  const peer = new CounterStore(10, 2);
  first.add('hits', 10n);
  peer.catchUp(first, true);
  // A log that never knew of it: what a node restored from an old copy would have.
  const second = new CounterStore(11, 1);
  second.catchUp(peer, true);
  second.clock = 70;
  second.add('hits', 1n);
  t.deepEqual(second.entries('hits'), ['1/0 @1 +10 -0', `1/${GENERATION_SECOND} @71 +1 -0`]);
  // It says so in the log before the entry itself is there.
  const cursor = second.world.store.logCursor(0);
  const kinds: number[] = [];
  while (cursor.next()) kinds.push(cursor.kind);
  t.deepEqual(kinds, [RecordKind.meta, RecordKind.counterEntry, RecordKind.counterEntry]);
  second.world.settle();
  second.restart(false);
  second.add('hits', 1n);
  t.deepEqual(second.entries('hits').length, 2);
});

test('a node that lost an entry to damage, in memory and in the file, counts in another generation', (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const store = new CounterStore(100 + seed, 1);
    store.add('hits', 3n);
    store.world.settle();
    const [place] = places(store.world.store);
    flipInMemory(place, 8 + seed, seed % 8);
    flipInFile(store.world.image, place, 8 + seed, seed % 8);
    store.world.run(FOUND_WITHIN_MS);
    t.true(store.world.store.entries.isLost(store.hashOf('hits')), `seed ${seed}`);
    store.add('hits', 1n);
    t.deepEqual(store.entries('hits'), [`1/${GENERATION_SECOND} @${store.clock} +1 -0`], `seed ${seed}`);
    // What was counted since makes up for nothing that was lost.
    t.true(store.world.store.entries.isLost(store.hashOf('hits')));
  }
});

test('damage in memory is read back before an entry is counted with', (t) => {
  const store = new CounterStore(12, 1);
  store.add('hits', 3n);
  store.world.settle();
  const [place] = places(store.world.store);
  flipInMemory(place, 24 + 14, 2);
  t.is(store.value('hits'), 3n);
  t.is(store.world.metric('scrub_repaired_total', { where: 'memory' }), 1);
});

test('states of one entry that contradict each other end the node before anything is stored', (t) => {
  for (const [left, right] of [
    [5n, 4n],
    [5n, -5n],
  ]) {
    const one = new CounterStore(13, 1);
    const other = new CounterStore(14, 1);
    const peer = new CounterStore(15, 2);
    one.add('hits', left);
    other.clock = 1;
    other.add('hits', right);
    peer.catchUp(one, true);
    const before = peer.world.store.lastLsn;
    t.throws(() => peer.catchUp(other, true), { message: /do not follow each other/ });
    t.is(peer.world.store.lastLsn, before);
  }
});

test('compaction keeps the newest state of every entry, and nothing else of it', (t) => {
  const store = new CounterStore(16, 1);
  const names = Array.from({ length: 20 }, (_, index) => `counter ${index}`);
  for (let round = 0; round < 400; round++) {
    for (const name of names) store.add(name, 1n);
    store.world.settle();
  }
  store.world.run(5000);
  const { segments } = store.world.store.stats();
  t.true(segments < 4, `${segments} segments`);
  for (const name of names) t.deepEqual(store.value(name), 400n);
  store.restart(false);
  for (const name of names) t.deepEqual(store.value(name), 400n);
});

test('an entry of another shape, or that its node did not write, is refused', (t) => {
  const bytes = bytesOf('a name and more, and so on');
  for (const [keyLength, valueLength, node] of [
    [10, 16, 1],
    [12, 15, 1],
    [12, 16, 9],
  ]) {
    const store = new CounterStore(17, 1);
    const peer = new CounterStore(18, 2);
    store.world.store.append(RecordKind.counterEntry, 1, node, 5, bytes, 0, keyLength, bytes, 0, valueLength, 0);
    t.throws(() => peer.catchUp(store, true), { code: 'bad-run' });
    store.world.settle();
    t.throws(() => store.restart(false), { code: 'unsupported-format' });
  }
});
