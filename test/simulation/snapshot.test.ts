import { type Client, createClient, type NodeSnapshot, type SnapshotSegment } from '@memdb/client';
import test from 'ava';
import { SNAPSHOT_IDLE_MS, SNAPSHOTS_MAX } from '../../src/model/limits.js';
import { dumpSegment, verifySegment } from '../../src/storage/log-inspect.js';
import { SIM_PORT, SimCluster } from '../harness/sim-cluster.js';
import { SimWorld } from '../harness/sim-world.js';
import { TEST_KEYS } from '../harness/test-keys.js';

interface Running {
  readonly world: SimWorld;
  readonly cluster: SimCluster;
  readonly db: Client;
  readonly settle: <Result>(promise: Promise<Result>) => Promise<Result>;
}

async function running(seed: number, durability: 'sync' | 'none' = 'sync'): Promise<Running> {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, { nodes: 1, segmentBytes: 128 * 1024, valueBytesMax: 32 * 1024, durability });
  cluster.start();
  cluster.awaitReady();
  const seeds = [{ host: 'n1', port: SIM_PORT }];
  const db = createClient({ ports: world.createPorts('client'), seeds, key: TEST_KEYS.client });
  const settle = <Result>(promise: Promise<Result>): Promise<Result> => world.settle(promise, world.nowMs + 60_000);
  await settle(db.ready());
  return { world, cluster, db, settle };
}

/** The file that a segment of a snapshot becomes. */
async function fileOf(snapshot: NodeSnapshot, segment: SnapshotSegment): Promise<Uint8Array> {
  const file = new Uint8Array(segment.capacity);
  for (let offset = 0; offset < segment.bytes; ) {
    const chunk = await snapshot.read(segment, offset);
    file.set(chunk, offset);
    offset += chunk.length;
  }
  return file;
}

/** The newest value of each key in a snapshot. */
async function contents(snapshot: NodeSnapshot): Promise<Map<string, string>> {
  const newest = new Map<string, { counter: number; value: string | undefined }>();
  for (const segment of snapshot.segments) {
    const file = await fileOf(snapshot, segment);
    const report = verifySegment(file);
    if (report.problem !== undefined || report.bytes !== segment.bytes) throw new Error(JSON.stringify(report));
    for (const { kind, counter, key, value } of dumpSegment(file)) {
      if (kind !== 'value' && kind !== 'tombstone') continue;
      const name = Buffer.from(key).toString();
      if (counter <= (newest.get(name)?.counter ?? 0)) continue;
      newest.set(name, { counter, value: kind === 'value' ? Buffer.from(value).toString() : undefined });
    }
  }
  return new Map([...newest].flatMap(([key, { value }]) => (value === undefined ? [] : [[key, value]])));
}

async function write(db: Client, round: number, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => db.set(`k${index}`, `${round}`.padEnd(1000, '.'))));
}

for (const durability of ['sync', 'none'] as const) {
  test(`a snapshot stays as it was while everything is overwritten many times (durability ${durability})`, async (t) => {
    const { world, db, settle, cluster } = await running(1, durability);
    await settle(write(db, 0, 300));
    await settle(db.delete('k7'));
    const snapshot = await settle(db.openSnapshot(1));
    for (let round = 1; round < 12; round++) await settle(write(db, round, 300));
    world.run(world.nowMs + 2000);
    const found = await settle(contents(snapshot));
    t.is(found.size, 299);
    for (const [key, value] of found) t.is(value, '0'.padEnd(1000, '.'), key);
    await settle(snapshot.close());
    // What was pinned is let go: memory does not keep twelve rounds.
    for (let round = 12; round < 24; round++) await settle(write(db, round, 300));
    world.run(world.nowMs + 2000);
    const segments = cluster.node('n1').store?.stats().segments ?? 0;
    t.true(segments * 128 < 300 * 12, `${segments} segments`);
    await settle(db.close());
    t.is(cluster.fatal.size, 0);
  });
}

test('what one snapshot holds of a segment, later ones hold too', async (t) => {
  const { db, settle } = await running(2);
  await settle(write(db, 0, 20));
  const first = await settle(db.openSnapshot(1));
  await settle(write(db, 1, 20));
  const second = await settle(db.openSnapshot(1));
  t.true(second.lastLsn > first.lastLsn);
  let grown = 0;
  for (const segment of first.segments) {
    const later = second.segments.find(({ id, generation }) => id === segment.id && generation === segment.generation);
    if (later === undefined) continue;
    const before = await settle(fileOf(first, segment));
    const after = await settle(fileOf(second, later));
    t.deepEqual(after.slice(0, segment.bytes), before.slice(0, segment.bytes));
    if (later.bytes > segment.bytes) grown++;
  }
  t.is(grown, 1);
  await settle(Promise.all([first.close(), second.close()]));
  await settle(db.close());
});

test('a snapshot nobody reads is let go, one too many is refused, and one that ended says so', async (t) => {
  const { world, db, settle, cluster } = await running(3);
  await settle(write(db, 0, 20));
  const open = [];
  for (let count = 0; count < SNAPSHOTS_MAX; count++) open.push(await settle(db.openSnapshot(1)));
  await t.throwsAsync(settle(db.openSnapshot(1, { timeoutMs: 100 })), { code: 'overloaded' });
  world.run(world.nowMs + SNAPSHOT_IDLE_MS + 1);
  const again = await settle(db.openSnapshot(1));
  const [old] = open;
  await t.throwsAsync(settle(old.read(old.segments[0], 0)), { code: 'bad-request', message: /open another/ });
  await settle(again.close());
  await settle(db.close());
  t.is(cluster.fatal.size, 0);
});
