import { decodeReplicaPage, type ScanPlace, ScanReach, scanPosition } from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import type { Timers } from '../../src/ports/timers.js';
import { Turn } from '../../src/ports/turn.js';
import { ScanPages } from '../../src/replication/scan-pages.js';
import { flipInMemory, places } from '../harness/flip-bits.js';
import { StorageWorld } from '../harness/storage-world.js';

interface Read {
  readonly keys: string[];
  readonly next: ScanPlace | undefined;
  readonly lsn: number;
}

function readPage(world: StorageWorld, pages: ScanPages, place: ScanPlace, prefix = ''): Read {
  let read: Read | undefined;
  pages.make(
    place,
    Buffer.from(prefix),
    (body, lsn) => {
      const page = decodeReplicaPage(body, new DataView(body.buffer), 0, body.length);
      const keys = page.entries.map(({ key }) => Buffer.from(key).toString());
      const last = keys[keys.length - 1];
      const { partition } = place;
      const position = page.reach === ScanReach.lastEntry ? scanPosition(world.hashOf(last)) : page.position;
      const after = page.reach === ScanReach.lastEntry ? Buffer.from(last) : new Uint8Array();
      const next = page.reach === ScanReach.end ? undefined : { partition, position, after };
      read = { keys, next, lsn };
    },
    neverLost,
  );
  world.world.runUntil(() => read !== undefined, world.world.nowMs + 1000);
  if (read === undefined) throw new Error('the page was never made');
  return read;
}

function neverLost(): never {
  throw new Error('nothing was damaged');
}

function pagesOf(world: StorageWorld): ScanPages {
  const { timers, clock } = world.world.createPorts('scanner');
  return new ScanPages(world.store.scanWindow, timers, new Turn(timers, clock));
}

const start = (partition: number): ScanPlace => ({ partition, position: 0, after: new Uint8Array() });

test('keys there from the beginning come exactly once, however the index grows meanwhile and whatever hashes collide', (t) => {
  const masks = fc.constantFrom(0, 0xff, 0x00ff00ff, 0xffffffff);
  const sizes = fc.record({ before: fc.nat(6000), added: fc.nat(6000), seed: fc.nat(1000) });
  fc.assert(
    fc.property(masks, fc.constantFrom(1, 4), sizes, (mask, partitions, { before, added, seed }) => {
      const world = new StorageWorld(seed, { durability: 'none', partitions });
      // All hashes alike make every lookup a walk: fewer keys, with less in common than their length.
      const scale = mask === 0 ? 0.05 : 1;
      world.hash = (key) => (Math.imul(Number(key.slice(1)) + seed, 0x85ebca6b) & mask) >>> 0;
      const pages = pagesOf(world);
      const present = new Set<string>();
      const late = new Set<string>();
      for (let index = 0; index < before * scale; index++) present.add(`a${index}`);
      for (const key of present) world.set(key, 'x', 1, 1);
      const seen = new Map<string, number>();
      const additions = Array.from({ length: Math.floor(added * scale) }, (_, index) => `b${index}`);
      for (let partition = 0; partition < partitions; partition++) {
        for (let place: ScanPlace | undefined = start(partition); place !== undefined; ) {
          const { keys, next } = readPage(world, pages, place);
          for (const key of keys) seen.set(key, (seen.get(key) ?? 0) + 1);
          place = next;
          for (const key of additions.splice(0, 700)) {
            late.add(key);
            world.set(key, 'y', 2, 1);
          }
        }
      }
      for (const key of present) t.is(seen.get(key), 1, key);
      for (const [key, times] of seen) t.true(times === 1 && (present.has(key) || late.has(key)), key);
    }),
    { numRuns: 25 },
  );
});

test('thousands of keys of one hash come in pages of bounded size', (t) => {
  const world = new StorageWorld(1, { durability: 'none', partitions: 1 });
  world.hash = () => 5;
  const pages = pagesOf(world);
  const names = Array.from({ length: 6000 }, (_, index) => `key-${index}`);
  for (const name of names) world.set(name, '', 1, 1);
  const found: string[] = [];
  for (let place: ScanPlace | undefined = start(0); place !== undefined; ) {
    const { keys, next } = readPage(world, pages, place);
    t.true(keys.length < 2000);
    found.push(...keys);
    place = next;
  }
  t.deepEqual(found, names.sort());
});

test('a page names deletions, and tells the highest LSN that it speaks of', (t) => {
  const world = new StorageWorld(1, { partitions: 1 });
  world.set('a', '1', 1, 1);
  world.delete('a', 2, 1);
  const pages = pagesOf(world);
  const { keys, lsn } = readPage(world, pages, start(0));
  t.deepEqual(keys, ['a']);
  t.is(lsn, world.store.lastLsn);
});

test('a prefix that nothing has ends pages by work and not by bytes', (t) => {
  const world = new StorageWorld(1, { durability: 'none', partitions: 1 });
  for (let index = 0; index < 40_000; index++) world.set(`a${index}`, '', 1, 1);
  const pages = pagesOf(world);
  let count = 0;
  for (let place: ScanPlace | undefined = start(0); place !== undefined; count++) {
    const { keys, next } = readPage(world, pages, place, 'b');
    t.deepEqual(keys, []);
    place = next;
  }
  t.true(count >= 2);
});

test('a value whose time has come counts as deleted', (t) => {
  const world = new StorageWorld(1, { durability: 'none', partitions: 1 });
  const { timers, clock } = world.world.createPorts('scanner');
  const pages = new ScanPages(world.store.scanWindow, timers, new Turn(timers, clock));
  world.set('a', '', 1, 1, clock.wallMs() + 1000);
  world.set('b', '', 1, 1);
  const absent = (): boolean[] => {
    const found: boolean[] = [];
    pages.make(
      start(0),
      new Uint8Array(),
      (body) => {
        const { entries } = decodeReplicaPage(body, new DataView(body.buffer), 0, body.length);
        found.push(...entries.map((entry) => entry.absent));
      },
      neverLost,
    );
    world.world.runUntil(() => found.length > 0, world.world.nowMs + 100);
    return found.sort();
  };
  t.deepEqual(absent(), [false, false]);
  world.run(1000);
  t.deepEqual(absent(), [false, true]);
});

test('a replica that lost a key makes no page of its partition until it knows of it', (t) => {
  const world = new StorageWorld(2, { durability: 'none', partitions: 2 });
  for (let index = 0; index < 8000; index++) world.set(`a${index}`, '', 1, 1);
  const pages = pagesOf(world);
  const [place] = places(world.store);
  const outcomes: string[] = [];
  const ask = (partition: number): void => {
    const done = (): number => outcomes.push(`page ${partition}`);
    pages.make(start(partition), new Uint8Array(), done, () => outcomes.push(`lost ${partition}`));
  };
  // Those that follow wait for their turn.
  readPage(world, pages, start(0));
  ask(0);
  ask(1);
  t.deepEqual(outcomes, []);
  flipInMemory(place, 20, 1);
  world.store.audit.scrub.repair(place.segment, place.offset);
  const lost = [0, 1].filter((partition) => world.store.audit.lostIn(partition).length > 0);
  t.is(lost.length, 1);
  const [damaged] = lost;
  t.true(world.world.runUntil(() => outcomes.length === 2, world.world.nowMs + 1000));
  t.deepEqual(outcomes.sort(), [`lost ${damaged}`, `page ${1 - damaged}`]);
  for (const key of world.store.audit.lostIn(damaged)) world.store.audit.settleLost(key);
  ask(damaged);
  t.true(world.world.runUntil(() => outcomes.length === 3, world.world.nowMs + 1000));
  t.true(outcomes.includes(`page ${damaged}`));
});

/** Every key of the partition, page by page. */
function scanAll(world: StorageWorld, pages: ScanPages, prefix = ''): string[] {
  const found: string[] = [];
  for (let place: ScanPlace | undefined = start(0); place !== undefined; ) {
    const { keys, next } = readPage(world, pages, place, prefix);
    found.push(...keys);
    place = next;
  }
  return found.sort();
}

test('a record that is damaged in memory is read back before a page speaks of it, wherever in it the damage is', (t) => {
  const world = new StorageWorld(3, { partitions: 1 });
  const names = Array.from({ length: 300 }, (_, index) => `key-${String(index).padStart(3, '0')}`);
  for (const name of names) world.set(name, 'x'.repeat(20), 1, 1);
  world.settle();
  const pages = pagesOf(world);
  const all = places(world.store);
  const first = 4;
  const { bytes } = all[0];
  for (let byte = first; byte < bytes; byte++) {
    for (const prefix of ['', 'key-0']) {
      flipInMemory(all[(byte * 7) % all.length], byte, byte % 8);
      t.deepEqual(scanAll(world, pages, prefix), prefix === '' ? names : names.slice(0, 100), `byte ${byte}`);
    }
  }
  t.true(world.metric('scrub_repaired_total', { where: 'memory' }) >= bytes - first);
});

test('a page is not made when a record is found damaged for good, and none of its keys is shown', (t) => {
  for (const byte of [9, 11, 12, 17, 20, 25, 30, 40]) {
    const world = new StorageWorld(4, { durability: 'none', partitions: 1 });
    for (let index = 0; index < 50; index++) world.set(`key-${index}`, 'x'.repeat(20), 1, 1);
    const pages = pagesOf(world);
    flipInMemory(places(world.store)[20], byte, 4);
    let outcome = '';
    pages.make(
      start(0),
      Buffer.from('key-2'),
      () => {
        outcome = 'page';
      },
      () => {
        outcome = 'lost';
      },
    );
    world.world.runUntil(() => outcome !== '', world.world.nowMs + 1000);
    t.is(outcome, 'lost', `byte ${byte}`);
  }
});

test('pages of large records take slices that are bounded by bytes, and miss nothing', (t) => {
  const world = new StorageWorld(5, { durability: 'none', partitions: 1, segmentBytes: 2 ** 22 });
  const names = Array.from({ length: 150 }, (_, index) => `key-${String(index).padStart(3, '0')}`);
  for (const name of names) world.set(name, 'x'.repeat(100_000), 1, 1);
  const { timers, clock } = world.world.createPorts('scanner');
  let ticks = 0;
  const counted: Timers = {
    start: (milliseconds, call) => {
      ticks++;
      return timers.start(milliseconds, call);
    },
    stop: (timer) => timers.stop(timer),
    endOfTurn: (call) => timers.endOfTurn(call),
  };
  t.deepEqual(scanAll(world, new ScanPages(world.store.scanWindow, counted, new Turn(timers, clock))), names);
  // 15 MB, verified 256 KiB at a time, two slices in a tick at most.
  t.true(ticks >= 25, `${ticks} ticks`);
});
