import test from 'ava';
import { contentHash } from '../../src/model/content-hash.js';
import {
  isExpired,
  kindOf,
  RecordKind,
  recordFlags,
  recordKindLength,
  recordLsnLow,
  recordSalt,
} from '../../src/model/record.js';
import { dumpSegment } from '../../src/storage/log-inspect.js';
import { StorageError } from '../../src/storage/storage-error.js';
import { StorageWorld } from '../harness/storage-world.js';

const DEADLINE_MS = Date.UTC(2030, 0, 1) + 7;

/** The last record of a store, as a peer ships it, after `change` and with a checksum that fits. */
function shipped(
  world: StorageWorld,
  change: (view: DataView) => void,
): { bytes: Uint8Array; view: DataView; generation: number; offset: number } {
  const { segment, offset, bytes: size } = world.store.appended;
  const bytes = segment.bytes.slice(offset, offset + size);
  const view = new DataView(bytes.buffer);
  change(view);
  const salt = recordSalt(segment.generation, offset, recordLsnLow(view, 0));
  view.setInt32(4, (contentHash(view, 8, size) + salt) | 0, true);
  return { bytes, view, generation: segment.generation, offset };
}

function ingest(world: StorageWorld, run: ReturnType<typeof shipped>): boolean {
  const { bytes, view, generation, offset } = run;
  return world.store.ingestRun(bytes, view, 0, bytes.length, generation, offset, false, () => undefined);
}

function flagged(flags: number): (view: DataView) => void {
  return (view) => view.setUint32(20, (view.getUint32(20, true) & 0x1fffff) | (flags << 21), true);
}

test('a deadline is kept beside the value, in memory, over a restart and in what a peer takes in', (t) => {
  const world = new StorageWorld(1);
  world.untilRoom();
  world.set('plain', 'value', 2 ** 40);
  world.set('short-lived', 'value', 2 ** 40 + 1, 3, DEADLINE_MS);
  const peer = new StorageWorld(2);
  peer.untilRoom();
  t.true(
    ingest(
      peer,
      shipped(world, () => undefined),
    ),
  );
  world.settle();
  world.crash({ powerLoss: true });
  world.open();
  for (const reader of [world, peer]) {
    t.is(reader.get('short-lived'), 'value');
    const { found } = reader.store;
    t.is(found.expiresAtMs, DEADLINE_MS);
    t.deepEqual([found.counter, found.node], [2 ** 40 + 1, 3]);
    t.false(isExpired(found.view, found.offset, DEADLINE_MS - 1));
    t.true(isExpired(found.view, found.offset, DEADLINE_MS));
  }
  t.is(world.get('plain'), 'value');
  t.is(world.store.found.expiresAtMs, 0);
  t.false(isExpired(world.store.found.view, world.store.found.offset, Number.MAX_SAFE_INTEGER));
});

test('a value that expires may be empty, and a plain value over it has no deadline', (t) => {
  const world = new StorageWorld(1);
  world.untilRoom();
  world.set('key', '', 1, 1, DEADLINE_MS);
  t.is(world.get('key'), '');
  t.is(world.store.found.expiresAtMs, DEADLINE_MS);
  world.set('key', 'stays', 2);
  t.is(world.get('key'), 'stays');
  t.is(world.store.found.expiresAtMs, 0);
});

test('unknown flags, and a deadline where none can be, are refused from a peer', (t) => {
  const world = new StorageWorld(1);
  const peer = new StorageWorld(2);
  world.untilRoom();
  peer.untilRoom();
  const refuses = (change: (view: DataView) => void, why: string): void => {
    const error = t.throws(() => ingest(peer, shipped(world, change)), { instanceOf: StorageError }, why);
    t.is(error?.code, 'bad-run', why);
  };
  world.set('key', 'a value of some length', 1);
  for (let bit = 1; bit < 11; bit++) refuses(flagged(1 << bit), `flag ${1 << bit}`);
  refuses(flagged(1), 'a deadline beyond the calendar');
  world.set('key', 'short', 2);
  refuses(flagged(1), 'a value too short for a deadline');
  world.set('key', new Uint8Array(8), 3);
  refuses(flagged(1), 'a deadline of 0');
  world.delete('key', 4);
  refuses(flagged(1), 'a tombstone that expires');
  t.is(peer.store.lastLsn, 0);
});

test('a log with an unknown flag is refused at a start', (t) => {
  const world = new StorageWorld(1);
  world.untilRoom();
  world.set('key', 'value', 1);
  const { segment, offset, bytes } = world.store.appended;
  flagged(2)(new DataView(segment.bytes.buffer, offset));
  const salt = recordSalt(segment.generation, offset, recordLsnLow(segment.view, offset));
  segment.view.setInt32(offset + 4, (contentHash(segment.view, offset + 8, offset + bytes) + salt) | 0, true);
  t.is(recordFlags(segment.view, offset), 2);
  t.is(kindOf(recordKindLength(segment.view, offset)), RecordKind.value);
  world.settle();
  world.close();
  const error = t.throws(() => world.open(), { instanceOf: StorageError });
  t.is(error?.code, 'unsupported-format');
});

test('a value that expires is described with its deadline', (t) => {
  const world = new StorageWorld(1);
  world.set('a', 'plain', 1);
  world.set('b', 'passing', 2, 1, DEADLINE_MS);
  world.settle();
  world.close();
  const records = [...dumpSegment(world.image.file('log/0000000000000001.seg')?.content() ?? new Uint8Array(0))];
  const values = records.filter(({ kind }) => kind === 'value');
  t.deepEqual(
    values.map(({ value, expiresAtMs }) => [Buffer.from(value).toString(), expiresAtMs]),
    [
      ['plain', undefined],
      ['passing', DEADLINE_MS],
    ],
  );
});
