import { keyHash } from '@memdb/protocol';
import test from 'ava';
import { RecordKind } from '../../src/model/record.js';
import { Store } from '../../src/storage/store.js';
import { NullTelemetry } from '../harness/null-telemetry.js';

const SEGMENT_BYTES = 256 * 1024;
const KEYS = 200;

function openStore(readLsn: () => number): Store {
  return Store.open({
    disk: undefined,
    timers: { start: () => ({}), stop: () => {}, endOfTurn: () => {} },
    clock: { monotonicMs: () => 0, wallMs: () => 0 },
    telemetry: new NullTelemetry(),
    durability: 'none',
    syncIntervalMs: 100,
    segmentBytes: SEGMENT_BYTES,
    partitions: 16,
    hashSeed: 1,
    memoryBytesMax: 0,
    entriesMax: 0,
    eviction: 'reject',
    readLsn,
    onDurable: () => {},
    onRoom: () => {},
    onFatal: (error) => {
      throw error;
    },
  });
}

function put(store: Store, key: number, counter: number): void {
  const record = Buffer.concat([Buffer.from(`key-${key}`), Buffer.alloc(400, counter % 251)]);
  const keyLength = record.length - 400;
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  const hash = keyHash(record, view, 0, keyLength, 1);
  store.append(RecordKind.value, counter, 1, hash, record, 0, keyLength, record, keyLength, 400, 0);
}

function lastByteOf(store: Store, key: number): number {
  const bytes = Uint8Array.from(Buffer.from(`key-${key}`));
  const view = new DataView(bytes.buffer);
  if (!store.lookup(keyHash(bytes, view, 0, bytes.length, 1), bytes, view, 0, bytes.length)) return -1;
  return store.found.bytes[store.found.valueStart + 399];
}

test('overwriting the same keys keeps memory bounded, and every key its newest value', (t) => {
  const store = openStore(() => Number.POSITIVE_INFINITY);
  let counter = 0;
  for (let round = 0; round < 100; round++) for (let key = 0; key < KEYS; key++) put(store, key, ++counter);
  t.true(store.stats().accountedBytes < 5 * SEGMENT_BYTES);
  for (let key = 0; key < KEYS; key++) t.is(lastByteOf(store, key), (counter - KEYS + key + 1) % 251);
});

test('a key that is never overwritten keeps its segment', (t) => {
  const store = openStore(() => Number.POSITIVE_INFINITY);
  put(store, KEYS, 1);
  for (let counter = 2; counter < 10_000; counter++) put(store, counter % KEYS, counter);
  t.is(lastByteOf(store, KEYS), 1);
});

test('what a cursor or a pending write still reads is not recycled, and a cursor goes on behind what was', (t) => {
  let readLsn = 1;
  const store = openStore(() => readLsn);
  for (let counter = 1; counter <= 2000; counter++) put(store, counter % KEYS, counter);
  const cursor = store.logCursor(0);
  for (let lsn = 1; lsn <= 1000; lsn++) {
    t.true(cursor.next());
    t.is(cursor.lsn, lsn);
    t.is(cursor.counter, lsn);
  }
  readLsn = cursor.lsn + 1;
  for (let counter = 2001; counter <= 6000; counter++) put(store, counter % KEYS, counter);
  for (let lsn = 1001; lsn <= 6000; lsn++) {
    t.true(cursor.next());
    t.is(cursor.counter, lsn);
  }
  t.false(cursor.next());
  readLsn = Number.POSITIVE_INFINITY;
  for (let counter = 6001; counter <= 12_000; counter++) put(store, counter % KEYS, counter);
  t.true(cursor.next());
  t.true(cursor.lsn > 6000);
});
