import test from 'ava';
import { dumpSegment, verifySegment } from '../../src/storage/log-inspect.js';
import { StorageWorld } from '../harness/storage-world.js';

function closedSegment(): Uint8Array {
  const world = new StorageWorld(1);
  world.store.putMeta('name', new Uint8Array([7]));
  world.set('a', 'first', 1);
  world.settle();
  world.delete('a', 2);
  world.set('b', 'second', 3);
  world.settle();
  world.close();
  return world.image.file('log/0000000000000001.seg')?.content() ?? new Uint8Array(0);
}

test('a sound segment is described record by record', (t) => {
  const bytes = closedSegment();
  const report = verifySegment(bytes);
  t.is(report.problem, undefined);
  t.is(report.records, 4);
  t.is(report.firstLsn, 1);
  t.is(report.lastLsn, 4);
  const records = [...dumpSegment(bytes)];
  t.deepEqual(
    records.filter(({ kind }) => kind !== 'batch').map(({ kind, key, lsn }) => `${lsn} ${kind} ${Buffer.from(key)}`),
    ['1 meta name', '2 value a', '3 tombstone a', '4 value b'],
  );
  t.is(records.filter(({ kind }) => kind === 'batch').length, report.batches);
  t.deepEqual(records.at(-1)?.proven, { segment: 1, offset: records.at(-1)?.offset });
  t.is(Buffer.from(records.find(({ lsn, kind }) => lsn === 4 && kind === 'value')?.value ?? []).toString(), 'second');
});

test('a flipped bit is reported where it lies, as damage when a later batch proves the record', (t) => {
  const bytes = closedSegment();
  const first = [...dumpSegment(bytes)].find(({ kind }) => kind === 'value');
  const offset = first?.offset ?? 0;
  bytes[offset + 24] ^= 1;
  const { problem } = verifySegment(bytes);
  t.is(problem?.kind, 'damage');
  t.is(problem?.offset, offset);
});

test('what nothing proves is a torn tail', (t) => {
  const bytes = closedSegment();
  const closing = [...dumpSegment(bytes)].at(-1);
  bytes[(closing?.offset ?? 0) + 30] ^= 1;
  const report = verifySegment(bytes);
  t.is(report.problem?.kind, 'torn-tail');
  t.is(report.records, 4);
});

test('files that are no segments are refused with a reason', (t) => {
  t.is(verifySegment(new Uint8Array(10)).problem?.offset, 0);
  t.is(verifySegment(new Uint8Array(1000).fill(1)).problem?.kind, 'damage');
  t.is(verifySegment(new Uint8Array(1000)).problem, undefined);
  const bytes = closedSegment();
  t.is(verifySegment(bytes.slice(0, 5000)).problem?.kind, 'damage');
  t.deepEqual([...dumpSegment(new Uint8Array(10))], []);
});
