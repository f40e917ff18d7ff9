import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FileDisk } from '../../src/platform/file-disk.js';
import { DiskError } from '../../src/ports/disk.js';

function diskOf(t: ExecutionContext): FileDisk {
  const parent = mkdtempSync(join(tmpdir(), 'memdb-disk-'));
  const disk = new FileDisk(join(parent, 'data'));
  t.teardown(async () => {
    await disk.close();
    rmSync(parent, { recursive: true, force: true });
  });
  disk.lock();
  return disk;
}

const preallocate = (disk: FileDisk, path: string, bytes: number): Promise<DiskError | undefined> =>
  new Promise((resolve) => disk.preallocate(path, bytes, resolve));

/** Writing to /dev/full fails as on a full disk. */
const fullDevice = existsSync('/dev/full') ? test : test.skip;

fullDevice('a write to a full disk is an error of kind full', (t) => {
  const disk = diskOf(t);
  symlinkSync('/dev/full', join(disk.directory, 'segment'));
  const file = disk.open('segment');
  const error = t.throws(() => file.write(new Uint8Array(100), 0, 100, 0), { instanceOf: DiskError });
  t.is(error?.kind, 'full');
  t.is(error?.path, 'segment');
  file.close();
});

fullDevice('a preallocation that finds no room reports it and leaves nothing behind', async (t) => {
  const disk = diskOf(t);
  symlinkSync('/dev/full', join(disk.directory, 'segment.tmp'));
  const error = await preallocate(disk, 'segment', 5_000_000);
  t.is(error?.kind, 'full');
  t.false(disk.exists('segment'));
  t.false(disk.exists('segment.tmp'));
  t.is(await preallocate(disk, 'segment', 5_000_000), undefined, 'and works once there is room');
});

fullDevice('a replace that finds no room leaves the old file', (t) => {
  const disk = diskOf(t);
  disk.replace('identity', new Uint8Array([1, 2, 3]));
  symlinkSync('/dev/full', join(disk.directory, 'identity.tmp'));
  const error = t.throws(() => disk.replace('identity', new Uint8Array([4])), { instanceOf: DiskError });
  t.is(error?.kind, 'full');
  t.deepEqual([...disk.read('identity')], [1, 2, 3]);
});

test('only the owner can read the data', (t) => {
  const disk = diskOf(t);
  disk.replace('identity', new Uint8Array(1));
  t.is(statSync(disk.directory).mode & 0o777, 0o700);
  t.is(statSync(join(disk.directory, 'identity')).mode & 0o777, 0o600);
});

test('unfinished files do not show and are gone after the next start', (t) => {
  const disk = diskOf(t);
  mkdirSync(join(disk.directory, 'log'));
  writeFileSync(join(disk.directory, 'log', '7.tmp'), 'half');
  t.deepEqual(disk.list('log'), []);
  disk.unlock();
  disk.lock();
  t.false(disk.exists('log/7.tmp'));
});

test('several preallocations at once are all made', async (t) => {
  const disk = diskOf(t);
  const names = ['a', 'b', 'c', 'd'];
  const errors = await Promise.all(names.map((name, index) => preallocate(disk, name, 100_000 * (index + 1))));
  t.deepEqual(errors, [undefined, undefined, undefined, undefined]);
  t.deepEqual(
    names.map((name) => statSync(join(disk.directory, name)).size),
    [100_000, 200_000, 300_000, 400_000],
  );
});

test('syncing again after a failed sync is a broken invariant', async (t) => {
  const disk = diskOf(t);
  // A pipe cannot be synced.
  spawnSync('mkfifo', [join(disk.directory, 'pipe')]);
  const file = disk.open('pipe');
  const error = await new Promise<DiskError | undefined>((resolve) => file.sync(resolve));
  t.is(error?.kind, 'io');
  t.throws(() => file.sync(() => {}), { code: 'ERR_ASSERTION' });
  file.close();
});

test('an idle background thread does not keep the process alive, nor does one that was closed', (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'memdb-disk-'));
  t.teardown(() => rmSync(parent, { recursive: true, force: true }));
  const module = new URL('../../src/platform/file-disk.js', import.meta.url).href;
  const program = `import { FileDisk } from ${JSON.stringify(module)};
    const disk = new FileDisk(${JSON.stringify(join(parent, 'data'))});
    disk.lock();
    const other = new FileDisk(disk.directory);
    disk.preallocate('a', 1000, (error) => {
      console.log(error ?? 'made');
      other.preallocate('b', 1e9, () => console.log('not waited for'));
      other.close();
    });`;
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { timeout: 30_000 });
  t.is(run.status, 0, String(run.stderr));
  t.is(String(run.stdout), 'made\n');
});
