import test from 'ava';
import { RecordKind } from '../../src/model/record.js';
import { StorageError } from '../../src/storage/storage-error.js';
import { SMALL_SEGMENT_BYTES, StorageWorld } from '../harness/storage-world.js';

interface Run {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
  readonly generation: number;
  readonly offset: number;
}

/** Everything that a store holds above an LSN, as it would be shipped: one run per segment, at an odd place of a frame. */
function runsOf(world: StorageWorld, afterLsn: number = 0, at: number = 28): Run[] {
  const cursor = world.store.logCursor(afterLsn);
  const runs: Run[] = [];
  let from = 0;
  let to = 0;
  let more = cursor.next();
  while (more) {
    const { segment } = cursor;
    from = cursor.offset;
    while (more && cursor.segment === segment) {
      to = cursor.offset + cursor.bytes;
      more = cursor.next();
    }
    const bytes = new Uint8Array(at + to - from);
    bytes.set(segment.bytes.subarray(from, to), at);
    const view = new DataView(bytes.buffer);
    runs.push({ bytes, view, start: at, end: bytes.length, generation: segment.generation, offset: from });
  }
  return runs;
}

type Refused = [lsn: number, counter: number, node: number];

function ingest(world: StorageWorld, run: Run, skipHeld: boolean = false): { stored: boolean; refused: Refused[] } {
  const refused: Refused[] = [];
  const stored = world.store.ingestRun(
    run.bytes,
    run.view,
    run.start,
    run.end,
    run.generation,
    run.offset,
    skipHeld,
    (lsn, counter, node) => refused.push([lsn, counter, node]),
  );
  return { stored, refused };
}

function pair(): { sender: StorageWorld; receiver: StorageWorld } {
  const sender = new StorageWorld(1);
  const receiver = new StorageWorld(2);
  sender.untilRoom();
  receiver.untilRoom();
  return { sender, receiver };
}

test('a run is stored as it was shipped, without the batch headers and meta records of the sender', (t) => {
  const { sender, receiver } = pair();
  sender.set('a', 'first', 1);
  sender.store.putMeta('secret', new Uint8Array(8));
  sender.settle();
  sender.set('b', 'x'.repeat(301), 2);
  sender.delete('a', 3);
  // The last batch is not written yet: its header is not complete.
  receiver.set('own', 'record', 9, 2);
  const [run] = runsOf(sender);
  t.deepEqual(ingest(receiver, run), { stored: true, refused: [] });
  t.is(receiver.store.lastLsn, 4);
  t.is(receiver.get('a'), undefined);
  t.is(receiver.store.found.kind, RecordKind.tombstone);
  t.is(receiver.get('b'), 'x'.repeat(301));
  t.is(receiver.get('own'), 'record');
  t.is(receiver.store.meta('secret'), undefined);
  receiver.settle();
  receiver.crash({ powerLoss: true });
  receiver.open();
  t.is(receiver.get('b'), 'x'.repeat(301));
  t.is(receiver.store.lastLsn, 4);
});

test('refusals are named one by one, with the stamp that supersedes', (t) => {
  const { sender, receiver } = pair();
  receiver.set('a', 'newer', 50, 7);
  sender.set('a', 'older', 10);
  sender.set('b', 'fine', 11);
  sender.set('b', 'finer', 12);
  const [run] = runsOf(sender);
  t.deepEqual(ingest(receiver, run), { stored: true, refused: [[1, 50, 7]] });
  t.is(receiver.get('a'), 'newer');
  t.is(receiver.get('b'), 'finer');
});

test('a repeated run counts as stored, and is not copied again when asked', (t) => {
  const { sender, receiver } = pair();
  for (let key = 0; key < 20; key++) sender.set(`key ${key}`, 'x'.repeat(key), key + 1);
  sender.set('key 3', 'again', 100);
  const [run] = runsOf(sender);
  const first = ingest(receiver, run);
  t.deepEqual(first.refused, []);
  const before = receiver.store.lastLsn;
  const repeated = ingest(receiver, run, true);
  t.true(repeated.stored);
  t.deepEqual(repeated.refused, [[4, 100, 1]]);
  t.is(receiver.store.lastLsn, before);
  receiver.set('key 5', 'newer', 200, 2);
  sender.set('key 30', 'only new one', 101);
  const [longer] = runsOf(sender);
  t.deepEqual(
    ingest(receiver, longer, true).refused.map(([lsn]) => lsn),
    [4, 6],
  );
  t.is(receiver.store.lastLsn, before + 2);
  t.is(receiver.get('key 30'), 'only new one');
});

test('every flipped bit of a run is refused and nothing of it is stored', (t) => {
  const { sender, receiver } = pair();
  sender.set('a', 'first', 1);
  sender.set('b', 'second', 2);
  const [run] = runsOf(sender);
  for (let bit = run.start * 8; bit < run.end * 8; bit++) {
    run.bytes[bit >> 3] ^= 1 << (bit & 7);
    const error = t.throws(() => ingest(receiver, run), { instanceOf: StorageError });
    t.is(error?.code, 'bad-run');
    run.bytes[bit >> 3] ^= 1 << (bit & 7);
  }
  t.is(receiver.store.lastLsn, 0);
  t.throws(() => ingest(receiver, { ...run, offset: run.offset + 4 }), { instanceOf: StorageError });
  t.throws(() => ingest(receiver, { ...run, generation: run.generation + 1 }), { instanceOf: StorageError });
  for (let end = run.start + 1; end < run.end; end++) {
    const whole = end === run.start + 32;
    if (!whole) t.throws(() => ingest(receiver, { ...run, end }), { instanceOf: StorageError }, `cut at ${end}`);
  }
  t.is(receiver.get('a'), undefined);
});

test('runs cross segment changes on both sides', (t) => {
  const { sender, receiver } = pair();
  for (let key = 0; key < 300; key++) sender.set(`key ${key}`, `${key}`.repeat(200), key + 1);
  for (const run of runsOf(sender)) {
    receiver.untilRoom(run.end - run.start);
    t.true(ingest(receiver, run).stored);
  }
  t.true(receiver.store.stats().segments > 1);
  receiver.settle();
  receiver.crash({ powerLoss: true });
  receiver.open();
  for (let key = 0; key < 300; key++) t.is(receiver.get(`key ${key}`), `${key}`.repeat(200));
});

test('a run that is longer than a segment here is spread over several', (t) => {
  const sender = new StorageWorld(1, { segmentBytes: 4 * SMALL_SEGMENT_BYTES });
  const receiver = new StorageWorld(2);
  receiver.untilRoom();
  receiver.run();
  sender.untilRoom();
  for (let key = 0; key < 250; key++) sender.set(`key ${key}`, `${key % 10}`.repeat(1000), key + 1);
  const runs = runsOf(sender);
  t.is(runs.length, 1);
  t.true(ingest(receiver, runs[0]).stored);
  receiver.settle();
  receiver.crash({ powerLoss: true });
  receiver.open();
  for (let key = 0; key < 250; key++) t.is(receiver.get(`key ${key}`), `${key % 10}`.repeat(1000));
});

test('a record that no segment can hold is refused before anything is stored', (t) => {
  const { receiver } = pair();
  t.is(receiver.store.room(SMALL_SEGMENT_BYTES, RecordKind.value), 'memory-full');
});

test('a run for which there is no room is not stored at all', (t) => {
  const sender = new StorageWorld(1);
  const receiver = new StorageWorld(2, {}, (image) => {
    image.behaviour.capacityBytes = 1000;
  });
  sender.set('a', 'x', 1);
  const [run] = runsOf(sender);
  receiver.run(1000);
  t.false(ingest(receiver, run).stored);
  t.is(receiver.store.lastLsn, 0);
  receiver.image.behaviour.capacityBytes = Number.POSITIVE_INFINITY;
  const calls = receiver.roomCalls;
  t.true(receiver.world.runUntil(() => receiver.roomCalls > calls, receiver.world.nowMs + 5000));
  t.true(ingest(receiver, run).stored);
});

test('a cursor sees what is appended after it was made, and starts anywhere', (t) => {
  const { sender } = pair();
  const cursor = sender.store.logCursor(0);
  t.false(cursor.next());
  sender.set('a', '1', 5, 3);
  t.true(cursor.next());
  t.is(cursor.lsn, 1);
  t.is(cursor.kind, RecordKind.value);
  t.is(cursor.counter, 5);
  t.is(cursor.node, 3);
  t.false(cursor.next());
  for (let key = 0; key < 300; key++) sender.set(`key ${key}`, 'v'.repeat(1000), key + 10);
  let lsn = 1;
  while (cursor.next()) t.is(cursor.lsn, ++lsn);
  t.is(lsn, 301);
  for (const after of [0, 1, 150, 300, 301]) {
    const other = sender.store.logCursor(after);
    t.is(other.next(), after < 301);
    if (after < 301) t.is(other.lsn, after + 1);
  }
});
