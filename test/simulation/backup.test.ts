import { type Client, createClient, MemDbError } from '@memdb/client';
import test from 'ava';
import {
  type BackupManifest,
  INCOMPLETE_FILE,
  MANIFEST_FILE,
  readManifest,
} from '../../src/cli/backup/backup-manifest.js';
import { type ExistingKeys, type RestoreResult, restoreBackup } from '../../src/cli/backup/restore-backup.js';
import { type BackupResult, takeBackup } from '../../src/cli/backup/take-backup.js';
import { readSegment, verifyBackup } from '../../src/cli/backup/verify-backup.js';
import type { Disk } from '../../src/ports/disk.js';
import { SIM_PORT, SimCluster, type SimClusterOptions } from '../harness/sim-cluster.js';
import { SimWorld } from '../harness/sim-world.js';
import { TEST_KEYS } from '../harness/test-keys.js';

const SEGMENT_BYTES: number = 128 * 1024;
const INDEX_BYTES: number = 1024 * 1024;

interface Running {
  readonly world: SimWorld;
  readonly cluster: SimCluster;
  readonly db: Client;
  readonly settle: <Result>(promise: Promise<Result>) => Promise<Result>;
}

async function running(seed: number, options: Partial<SimClusterOptions> = {}): Promise<Running> {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, {
    nodes: 3,
    segmentBytes: SEGMENT_BYTES,
    valueBytesMax: 32 * 1024,
    ...options,
  });
  cluster.start();
  cluster.awaitReady();
  const seeds = cluster.names.map((host) => ({ host, port: SIM_PORT }));
  const db = createClient({ ports: world.createPorts('client'), seeds, key: TEST_KEYS.client, timeoutMs: 5000 });
  const settle = <Result>(promise: Promise<Result>): Promise<Result> => world.settle(promise, world.nowMs + 120_000);
  await settle(db.ready());
  return { world, cluster, db, settle };
}

function backup(client: Client, disk: Disk): Promise<BackupResult> {
  return takeBackup({ client, disk, directory: 'B', nowMs: 0, timeoutMs: 5000, onProgress: () => {} });
}

function manifestOf(disk: Disk): BackupManifest {
  const manifest = readManifest(disk, 'B');
  if (manifest === undefined) throw new Error('there is no backup');
  return manifest;
}

function restore(
  client: Client | undefined,
  disk: Disk,
  existing: ExistingKeys = 'refuse',
  indexBytesMax: number = INDEX_BYTES,
  nowMs: () => number = () => 0,
): Promise<RestoreResult> {
  const manifest = manifestOf(disk);
  const options = { client, disk, directory: 'B', manifest, existing, indexBytesMax, nowMs, timeoutMs: 5000 };
  return restoreBackup({ ...options, onProgress: () => {} });
}

/** Every key with its value, as the cluster answers at quorum. */
async function contents(db: Client): Promise<Map<string, string | undefined>> {
  const keys: string[] = [];
  for await (const key of db.keys()) keys.push(key);
  return new Map((await db.getMany(keys)).map(({ key, value }) => [String(key), value]));
}

async function put(db: Client, entries: Iterable<[string, string]>): Promise<void> {
  for (const { error } of await db.setMany(entries)) if (error !== undefined) throw error;
}

const rows = (prefix: string, count: number, value: string): [string, string][] =>
  Array.from({ length: count }, (_, index) => [`${prefix}${index}`, `${value}:${index}`]);

test('a backup taken under load, restored into clusters of other sizes, holds all that was acknowledged before it began', async (t) => {
  for (const [seed, nodes] of [
    [1, 1],
    [2, 4],
    [3, 3],
  ]) {
    const { world, db, settle, cluster } = await running(seed, { nodes: 3 });
    const disk = world.createPorts('backup').disk;
    await settle(put(db, rows('kept:', 2000, 'v')));
    await settle(put(db, rows('deleted:', 200, 'v')));
    await settle(Promise.all(rows('deleted:', 200, '').map(([key]) => db.delete(key))));
    let going = true;
    const during = new Map<string, Set<string>>();
    const load = async (writer: number): Promise<void> => {
      for (let round = 0; going; round++) {
        const key = world.random.chance(0.5) ? `kept:${world.random.below(2000)}` : `new:${writer}:${round}`;
        during.set(key, (during.get(key) ?? new Set()).add(`w${writer}:${round}`));
        await db.set(key, `w${writer}:${round}`).catch(() => undefined);
      }
    };
    const writers = [0, 1, 2, 3].map(load);
    const result = await settle(backup(db, disk));
    going = false;
    await settle(Promise.all(writers));
    t.false(result.incremental);
    t.is(result.bytes, result.freshBytes);
    t.deepEqual(verifyBackup(disk, manifestOf(disk)).damage, []);

    const other = await running(seed + 100, { nodes, replicationFactor: Math.min(nodes, 3) });
    const restored = await other.settle(restore(other.db, disk));
    const found = await other.settle(contents(other.db));
    t.is(restored.written, found.size);
    for (let index = 0; index < 2000; index++) {
      const value = found.get(`kept:${index}`) ?? 'absent';
      const sound = value === `v:${index}` || during.get(`kept:${index}`)?.has(value) === true;
      t.true(sound, `seed ${seed}: kept:${index} = ${value}`);
    }
    for (const [key, value] of found) {
      t.false(key.startsWith('deleted:'), key);
      if (key.startsWith('new:')) t.true(during.get(key)?.has(value ?? ''), key);
    }
    t.is(cluster.fatal.size + other.cluster.fatal.size, 0);
  }
});

test('a second backup takes what is new, and what was deleted, compacted and purged between the two stays deleted', async (t) => {
  const { world, db, settle, cluster } = await running(4);
  const disk = world.createPorts('backup').disk;
  await settle(put(db, rows('stays:', 300, 'x'.repeat(500))));
  await settle(put(db, rows('goes:', 300, 'y'.repeat(500))));
  const first = await settle(backup(db, disk));
  await settle(Promise.all(rows('goes:', 300, '').map(([key]) => db.delete(key))));
  for (let round = 0; round < 30; round++) await settle(put(db, rows('busy:', 200, `${round}`.padEnd(1000, '.'))));
  world.run(world.nowMs + 60_000);
  const stats = cluster.node('n1').store?.stats();
  t.true((stats?.tombstones ?? 300) < 300, 'tombstones were purged');
  const second = await settle(backup(db, disk));
  t.true(second.incremental);
  t.true(second.freshBytes <= second.bytes && first.bytes > 0);
  const third = await settle(backup(db, disk));
  t.true(third.freshBytes < third.bytes / 10, `${third.freshBytes} of ${third.bytes} bytes are new`);
  t.deepEqual(verifyBackup(disk, manifestOf(disk)).damage, []);
  const other = await running(104, { nodes: 2, replicationFactor: 2 });
  await other.settle(restore(other.db, disk));
  const found = await other.settle(contents(other.db));
  const expected = [...rows('stays:', 300, 'x'.repeat(500)), ...rows('busy:', 200, '29'.padEnd(1000, '.'))];
  t.deepEqual([...found].sort(), expected.sort());
});

test('a backup that is interrupted leaves the one before as it was, says so, and goes on where it stopped', async (t) => {
  const { world, db, settle } = await running(5);
  const disk = world.createPorts('backup').disk;
  await settle(put(db, rows('a', 500, 'x'.repeat(800))));
  await settle(backup(db, disk));
  const before = manifestOf(disk);
  await settle(put(db, rows('b', 800, 'z'.repeat(800))));
  let reads = 0;
  const stopping: Client = Object.create(db, {
    openSnapshot: {
      value: async (node: number) => {
        const snapshot = await db.openSnapshot(node);
        const read = snapshot.read.bind(snapshot);
        snapshot.read = (segment, offset) =>
          ++reads > 4 ? Promise.reject(new MemDbError('connection-lost', 'cut')) : read(segment, offset);
        return snapshot;
      },
    },
    topology: { get: () => db.topology },
  });
  await t.throwsAsync(settle(backup(stopping, disk)), { code: 'connection-lost' });
  t.true(disk.exists(INCOMPLETE_FILE));
  t.deepEqual(manifestOf(disk), before);
  t.deepEqual(verifyBackup(disk, before).damage, []);
  const other = await running(105, { nodes: 1, replicationFactor: 1 });
  t.is((await other.settle(restore(other.db, disk))).written, 500);
  const again = await settle(backup(db, disk));
  t.false(disk.exists(INCOMPLETE_FILE));
  t.true(again.freshBytes < again.bytes - 4 * 1024, 'what the interrupted run read is not read again');
  t.deepEqual(verifyBackup(disk, manifestOf(disk)).damage, []);
  t.is((await settle(restore(undefined, disk))).keys, 1300);
});

test('one node that is down is left out, and without a majority there is no backup', async (t) => {
  const { world, db, settle, cluster } = await running(6);
  const disk = world.createPorts('backup').disk;
  await settle(put(db, rows('a', 100, 'x')));
  await settle(backup(db, disk));
  cluster.crash('n2');
  world.run(world.nowMs + 3000);
  await settle(put(db, rows('b', 100, 'x')));
  const result = await settle(backup(db, disk));
  t.deepEqual(
    result.missing.map(({ node }) => node),
    [cluster.node('n2').number],
  );
  t.is(result.manifest.nodes.length, 2);
  t.is((await settle(restore(undefined, disk))).keys, 200);
  cluster.crash('n3');
  world.run(world.nowMs + 3000);
  const before = manifestOf(disk);
  await t.throwsAsync(settle(backup(db, disk)), { message: /a majority of the owners/ });
  t.deepEqual(manifestOf(disk), before);
});

test('a restore refuses a cluster that is not empty, goes on with merge, and lets the backup win with overwrite', async (t) => {
  const { world, db, settle } = await running(7);
  const disk = world.createPorts('backup').disk;
  await settle(put(db, rows('k', 400, 'old')));
  await settle(backup(db, disk));
  await settle(put(db, [['k1', 'newer']]));
  await settle(db.delete('k2'));
  await t.throwsAsync(settle(restore(db, disk)), { message: /--merge/ });
  const merged = await settle(restore(db, disk, 'merge'));
  t.deepEqual([merged.written, merged.kept], [1, 399]);
  t.is(await settle(db.get('k1')), 'newer');
  t.is(await settle(db.get('k2')), 'old:2');
  t.is((await settle(restore(db, disk, 'overwrite'))).written, 400);
  t.is(await settle(db.get('k1')), 'old:1');
});

test('little memory makes more passes of a restore, and the same result', async (t) => {
  const { world, db, settle } = await running(8);
  const disk = world.createPorts('backup').disk;
  await settle(put(db, rows('k', 1500, 'v')));
  await settle(Promise.all(rows('k', 100, '').map(([key]) => db.delete(key))));
  await settle(backup(db, disk));
  const whole = await settle(restore(undefined, disk));
  const parts = await settle(restore(undefined, disk, 'refuse', 8 * 1024));
  t.is(whole.passes, 1);
  t.true(parts.passes > 4);
  t.deepEqual({ ...parts, passes: 1 }, whole);
  t.deepEqual([whole.keys, whole.deleted], [1400, 100]);
});

test('a value that expires keeps its deadline, and one whose time has come is left out', async (t) => {
  const { world, db, settle, cluster } = await running(9);
  const { disk, clock } = world.createPorts('backup');
  // Wall clocks of simulated machines differ by minutes; here they agree.
  for (const name of [...cluster.names, 'backup']) world.clock(name).jumpWall(-world.clock(name).wallMs());
  await settle(db.set('short', 'x', { ttlMs: 5000 }));
  await settle(db.set('long', 'x', { ttlMs: 60_000 }));
  await settle(backup(db, disk));
  world.run(world.nowMs + 10_000);
  t.is(await settle(db.get('long')), 'x');
  await settle(db.delete('long'));
  const result = await settle(restore(db, disk, 'overwrite', INDEX_BYTES, () => clock.wallMs()));
  t.deepEqual([result.written, result.expired], [1, 1]);
  t.is(await settle(db.get('long')), 'x');
  world.run(world.nowMs + 40_000);
  t.is(await settle(db.get('long')), 'x');
  world.run(world.nowMs + 15_000);
  t.is(await settle(db.get('long')), undefined);
});

test('every flipped byte of a backup is found, with file and offset, and nothing damaged is restored', async (t) => {
  const { world, db, settle } = await running(10, { nodes: 1, replicationFactor: 1 });
  const disk = world.createPorts('backup').disk;
  await settle(put(db, rows('k', 50, 'v')));
  await settle(backup(db, disk));
  const manifest = manifestOf(disk);
  const [segment] = manifest.nodes[0].segments;
  const sound = readSegment(disk, segment);
  if (!(sound instanceof Uint8Array)) throw new Error(sound.reason);
  for (let at = 0; at < segment.bytes; at += 7) {
    const file = disk.open(segment.file);
    file.write(Uint8Array.of(sound[at] ^ 0x10), 0, 1, at);
    const [damage] = verifyBackup(disk, manifest).damage;
    t.is(damage?.file, segment.file);
    t.true(damage.offset <= at && at - damage.offset < 200, `flipped ${at}, found at ${damage.offset}`);
    file.write(sound, at, 1, at);
    file.close();
  }
  const file = disk.open(segment.file);
  file.write(Uint8Array.of(sound[300] ^ 1), 0, 1, 300);
  file.close();
  const other = await running(110, { nodes: 1, replicationFactor: 1 });
  await t.throwsAsync(other.settle(restore(other.db, disk)), { message: /damaged at offset/ });
  t.is((await other.settle(contents(other.db))).size, 0);
  const text = Buffer.from(disk.read(MANIFEST_FILE)).toString().replace('"epoch": 1', '"epoch": 2');
  disk.replace(MANIFEST_FILE, Buffer.from(text));
  t.throws(() => readManifest(disk, 'B'), { message: /checksum is wrong/ });
});
