import { keyHash, type ReplicaPage, type ScanEntry, ScanReach, scanPosition } from '@memdb/protocol';
import test from 'ava';
import fc from 'fast-check';
import { type MergedReach, mergePages } from '../../src/replication/merge-pages.js';

const SEED = 7;

function positionOf(key: string): number {
  const bytes = Buffer.from(key);
  return scanPosition(keyHash(bytes, new DataView(bytes.buffer, bytes.byteOffset), 0, bytes.length, SEED));
}

function inOrder(left: string, right: string): number {
  return positionOf(left) - positionOf(right) || (left < right ? -1 : 1);
}

/** A replica's own keys with the counter of their version; odd counters stand for deletions. */
type Replica = ReadonlyMap<string, number>;

interface From {
  readonly position: number;
  readonly after: string;
}

/** The page of `size` keys behind a place, as a replica makes it; `early` ends it below a key instead of at one. */
function pageOf(replica: Replica, from: From, size: number, early: boolean): ReplicaPage {
  const behind = [...replica.keys()]
    .filter((key) => positionOf(key) > from.position || (positionOf(key) === from.position && key > from.after))
    .sort(inOrder);
  const entries = behind.slice(0, size).map((key): ScanEntry => {
    const counter = replica.get(key) ?? 0;
    return { key: Buffer.from(key), absent: counter % 2 === 1, serial: false, stamp: { counter, node: 1 } };
  });
  if (behind.length <= size) return { reach: ScanReach.end, position: 0, floor: { counter: 0, node: 0 }, entries };
  if (early || entries.length === 0)
    return { reach: ScanReach.position, position: positionOf(behind[size]), floor: { counter: 0, node: 0 }, entries };
  return { reach: ScanReach.lastEntry, position: 0, floor: { counter: 0, node: 0 }, entries };
}

test('whatever a majority of replicas is asked for each page, what is on a majority is found and what is deleted there is not', (t) => {
  const key = fc.nat(40).map((number) => `k${number}`);
  const version = fc.record({ key, counter: fc.integer({ min: 2, max: 9 }), missing: fc.integer({ min: 0, max: 5 }) });
  const step = fc.record({
    leftOut: fc.nat(2),
    left: fc.integer({ min: 1, max: 4 }),
    right: fc.nat(4),
    early: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(version, { maxLength: 60 }), fc.array(step, { minLength: 1 }), (versions, steps) => {
      const replicas = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()];
      const newest = new Map<string, number>();
      for (const { key: name, counter, missing } of versions) {
        newest.set(name, Math.max(newest.get(name) ?? 0, counter));
        // Acknowledged at quorum: one replica of three may have missed it.
        for (const [index, replica] of replicas.entries()) {
          if (index !== missing) replica.set(name, Math.max(replica.get(name) ?? 0, counter));
        }
      }
      const found: string[] = [];
      let reach: MergedReach = { kind: 'place', position: 0, after: new Uint8Array() };
      for (let at = 0; reach.kind === 'place'; at++) {
        const { leftOut, left, right, early } = steps[at % steps.length];
        const from: From = { position: reach.position, after: Buffer.from(reach.after).toString() };
        const asked = replicas.filter((_, index) => index !== leftOut);
        const pages = [pageOf(asked[0], from, left, early), pageOf(asked[1], from, right + 1, !early)];
        reach = mergePages(pages, SEED, (bytes) => found.push(Buffer.from(bytes).toString()));
      }
      const expected = [...newest].filter(([, counter]) => counter % 2 === 0).map(([name]) => name);
      t.deepEqual(found, expected.sort(inOrder));
    }),
    { numRuns: 1000 },
  );
});

test('a value that one replica still showed, while another had purged its deletion already, is not found', (t) => {
  const page = (floor: number, entries: ScanEntry[]): ReplicaPage => ({
    reach: ScanReach.end,
    position: 0,
    floor: { counter: floor, node: 1 },
    entries,
  });
  const value = (name: string, counter: number): ScanEntry => ({
    key: Buffer.from(name),
    absent: false,
    serial: false,
    stamp: { counter, node: 1 },
  });
  const found = (pages: ReplicaPage[]): string[] => {
    const names: string[] = [];
    mergePages(pages, SEED, (key) => names.push(Buffer.from(key).toString()));
    return names;
  };
  t.deepEqual(found([page(0, [value('k', 30)]), page(40, [])]), []);
  t.deepEqual(found([page(0, [value('k', 41)]), page(40, [])]), ['k']);
  // The floor of a replica that holds the key says nothing about it.
  t.deepEqual(found([page(40, [value('k', 30)]), page(0, [])]), ['k']);
  t.deepEqual(found([page(40, [value('k', 30)]), page(40, [value('k', 30)])]), ['k']);
});

test('a serial version beats plain ones of any stamp, on whatever page it stands, and no floor deletes it', (t) => {
  const entry = (absent: boolean, serial: boolean, counter: number): ScanEntry => {
    return { key: Buffer.from('k'), absent, serial, stamp: { counter, node: 1 } };
  };
  const page = (entries: ScanEntry[]): ReplicaPage => {
    return { reach: ScanReach.end, position: 0, floor: { counter: 50, node: 1 }, entries };
  };
  const found = (...pages: ReplicaPage[]): number => {
    let keys = 0;
    mergePages(pages, SEED, () => keys++);
    return keys;
  };
  t.is(found(page([entry(false, true, 3)]), page([entry(true, false, 90)])), 1);
  t.is(found(page([entry(false, false, 90)]), page([entry(true, true, 3)])), 0);
  t.is(found(page([entry(true, true, 3)]), page([entry(false, true, 4)])), 1);
  t.is(found(page([entry(false, true, 3)]), page([])), 1);
});
