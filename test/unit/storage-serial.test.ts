import {
  type Ballot,
  FRESH_SERIAL_STATE,
  keyHash,
  NO_BALLOT,
  operationIdOfStamp,
  SerialContent,
  type SerialState,
  SerialVerdict,
} from '@memdb/protocol';
import test from 'ava';
import { accept, hasAccepted, promise } from '../../src/model/serial-acceptor.js';
import { bytesOf, StorageWorld, viewOf } from '../harness/storage-world.js';

const ONE = { partitions: 1 };
const FAR = Number.MAX_SAFE_INTEGER;
const first: Ballot = { counter: 20, node: 1, generation: 4 };
const second: Ballot = { counter: 30, node: 2, generation: 1 };

function proposal(accepted: Ballot, text: string | undefined, promised: Ballot = accepted): SerialState {
  return {
    ...FRESH_SERIAL_STATE,
    accepted,
    promised,
    isVote: true,
    content: text === undefined ? SerialContent.tombstone : SerialContent.value,
    stamp: { counter: accepted.counter, node: accepted.node },
    value: bytesOf(text ?? ''),
  };
}

function read(world: StorageWorld, key: string): SerialState {
  const bytes = bytesOf(key);
  return world.store.serial.read(world.hashOf(key), viewOf(bytes), 0, bytes.length);
}

function keep(world: StorageWorld, key: string, state: SerialState | undefined): void {
  if (state === undefined) throw new Error('the acceptor refused');
  const bytes = bytesOf(key);
  world.untilRoom(4096);
  world.store.serial.keep(world.hashOf(key), bytes, 0, bytes.length, state);
}

/** Sends every record of one log to another store, as a peer does. */
function ship(from: StorageWorld, to: StorageWorld, isJoining: boolean = false): { serial: boolean }[] {
  const refused: { serial: boolean }[] = [];
  const cursor = from.store.logCursor(0);
  while (cursor.next()) {
    const { segment, offset, bytes } = cursor;
    to.untilRoom(4096);
    to.store.ingestRun(
      segment.bytes,
      segment.view,
      offset,
      offset + bytes,
      segment.generation,
      offset,
      false,
      (_lsn, _counter, _node, serial) => refused.push({ serial }),
      isJoining,
    );
  }
  return refused;
}

test('promise, acceptance and content survive a power cut, and what was not synced may not', (t) => {
  const world = new StorageWorld(1, ONE);
  world.set('k', 'plain', 7, 3);
  keep(world, 'k', promise(read(world, 'k'), first));
  world.settle();
  keep(world, 'k', accept(read(world, 'k'), proposal(first, 'accepted', second)));
  world.crash({ powerLoss: true });
  world.open();
  t.like(read(world, 'k'), { promised: first, accepted: NO_BALLOT, content: SerialContent.value });
  t.deepEqual(read(world, 'k').stamp, { counter: 7, node: 3 });
  t.is(world.get('k'), 'plain');
  keep(world, 'k', accept(read(world, 'k'), proposal(first, 'accepted', second)));
  world.settle();
  world.close();
  world.open();
  t.deepEqual(read(world, 'k'), proposal(first, 'accepted', second));
  t.is(world.get('k'), 'accepted');
  t.true(hasAccepted(read(world, 'k'), first));
});

test('a serial key takes no plain version, of whatever stamp, and a bare promise is enough', (t) => {
  const world = new StorageWorld(2, ONE);
  keep(world, 'bare', promise(read(world, 'bare'), first));
  keep(world, 'k', accept(read(world, 'k'), proposal(first, 'serial')));
  const peer = new StorageWorld(3, ONE);
  peer.set('bare', 'plain', 900, 2);
  peer.delete('k', 901, 2);
  peer.set('other', 'plain', 902, 2);
  t.deepEqual(ship(peer, world), [{ serial: true }, { serial: true }]);
  t.is(world.get('bare'), undefined);
  t.is(world.get('k'), 'serial');
  t.is(world.get('other'), 'plain');
});

test('a copy of another acceptor obeys the promise, and what the other promised stays its own', (t) => {
  const [from, to] = [new StorageWorld(4, ONE), new StorageWorld(5, ONE)];
  keep(from, 'k', accept(read(from, 'k'), proposal(first, 'old', { ...second, counter: 90 })));
  keep(to, 'k', promise(read(to, 'k'), second));
  ship(from, to);
  t.like(read(to, 'k'), { accepted: NO_BALLOT, promised: second });
  keep(from, 'k', accept(read(from, 'k'), proposal({ ...second, counter: 95 }, 'new')));
  ship(from, to);
  t.deepEqual(read(to, 'k'), proposal({ ...second, counter: 95 }, 'new'));
});

test('what is streamed to a joining owner is kept below its promise, is no vote, and becomes one by an Accept', (t) => {
  const [from, to] = [new StorageWorld(6, ONE), new StorageWorld(7, ONE)];
  keep(from, 'k', accept(read(from, 'k'), proposal(first, 'chosen')));
  keep(to, 'k', promise(read(to, 'k'), second));
  ship(from, to, true);
  t.like(read(to, 'k'), { accepted: first, promised: second, isVote: false });
  t.is(world(to), 'chosen');
  t.false(hasAccepted(read(to, 'k'), first));
  keep(to, 'k', accept(read(to, 'k'), proposal(second, 'next')));
  t.true(hasAccepted(read(to, 'k'), second));
  ship(from, to, true);
  t.like(read(to, 'k'), { accepted: second, isVote: true });

  function world(of: StorageWorld): string | undefined {
    return of.get('k');
  }
});

test('a plain version that is streamed to a joining owner stays under its bare promise', (t) => {
  const [from, to] = [new StorageWorld(8, ONE), new StorageWorld(9, ONE)];
  from.set('k', 'acknowledged', 7, 1);
  keep(from, 'p', promise(read(from, 'p'), first));
  keep(to, 'k', promise(read(to, 'k'), second));
  ship(from, to, true);
  t.like(read(to, 'k'), { accepted: NO_BALLOT, promised: second, stamp: { counter: 7, node: 1 } });
  t.is(to.get('k'), 'acknowledged');
  keep(from, 'k', promise(read(from, 'k'), first));
  const late = new StorageWorld(10, ONE);
  ship(from, late, true);
  t.is(late.get('k'), 'acknowledged');
  t.is(read(late, 'k').promised.counter, 0, 'the promise of another is not its own');
});

test('compaction and a restart keep the latest state of each serial key, and its stamp in the audit is the ballot', (t) => {
  const settings = { partitions: 4 };
  const world = new StorageWorld(11, settings);
  const filler = 'x'.repeat(200);
  for (let round = 1; round <= 20; round++) {
    for (let key = 0; key < 60; key++) {
      const ballot = { counter: round * 100 + key, node: 1, generation: 1 };
      keep(world, `k${key}`, accept(read(world, `k${key}`), proposal(ballot, `${filler}${round}`)));
    }
    world.settle();
  }
  world.run();
  t.true(world.store.stats().segments < 10, 'dead states go');
  const tables = (): number[] =>
    [0, 1, 2, 3].flatMap((partition) => Object.values(world.store.audit.rootOf(partition)));
  const before = tables();
  t.is(world.store.serial.keys, 60);
  world.close();
  world.open();
  t.deepEqual(tables(), before);
  t.is(world.store.serial.keys, 60);
  for (let key = 0; key < 60; key++) t.is(world.get(`k${key}`), `${filler}20`);
  const versions = [0, 1, 2, 3].flatMap((partition) =>
    Array.from({ length: 64 }, (_, bucket) => world.store.audit.list(partition, bucket, 100)).flat(),
  );
  t.true(versions.every(({ counter, kind }) => counter >= 2000 && kind === 5));
});

test('a deleted serial key is never purged, counts in a metric, and takes 64 bytes with its index once it is settled', (t) => {
  const world = new StorageWorld(12, ONE);
  const before = world.store.stats().liveBytes;
  const tombstone = { ...proposal(second, undefined), forgotten: second.counter };
  keep(world, 'sixteen-byte-key', accept(read(world, 'sixteen-byte-key'), tombstone));
  t.is(world.store.audit.purge(0, world.store.lastLsn, FAR, FAR), 0);
  t.is(world.store.serial.tombstones, 1);
  t.is(world.store.stats().tombstones, 1);
  t.true(world.store.stats().liveBytes - before + 12 <= 64);
  t.is(read(world, 'sixteen-byte-key').forgotten, second.counter);
});

test('an acceptor that would go back, or give one ballot two values, ends the node', (t) => {
  const world = new StorageWorld(13, ONE);
  keep(world, 'k', accept(read(world, 'k'), proposal(second, 'one')));
  t.throws(() => keep(world, 'k', { ...read(world, 'k'), promised: first }), { message: /replaces that of 30/ });
  t.throws(() => keep(world, 'k', proposal(second, 'two')), { message: /has two values/ });
  t.is(promise(read(world, 'k'), first), undefined);
  t.is(accept(read(world, 'k'), proposal(first, 'late')), undefined);
});

test('operations with their results stand in the log', (t) => {
  const world = new StorageWorld(14, ONE);
  const id = operationIdOfStamp({ counter: 9, node: 2 });
  const operations = [{ id, stamp: { counter: 9, node: 2 }, verdict: SerialVerdict.applied }];
  keep(world, 'k', accept(read(world, 'k'), { ...proposal(first, 'v'), operations, forgotten: 3 }));
  world.settle();
  world.close();
  world.open();
  t.deepEqual(read(world, 'k').operations, operations);
  t.is(read(world, 'k').forgotten, 3);
  t.is(keyHash(bytesOf('k'), viewOf(bytesOf('k')), 0, 1, 7), world.hashOf('k'));
});
