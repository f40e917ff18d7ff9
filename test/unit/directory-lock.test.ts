import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FileDisk } from '../../src/platform/file-disk.js';
import { ownIdentity, parseStartTicks } from '../../src/platform/process-identity.js';
import { DiskError } from '../../src/ports/disk.js';

const MODULE = new URL('../../src/platform/file-disk.js', import.meta.url).href;

function directoryOf(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'memdb-lock-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A script in another process. `disk` is its view of `directory`. */
function script(directory: string, body: string): string[] {
  const program = `import { FileDisk } from ${JSON.stringify(MODULE)};
    const disk = new FileDisk(${JSON.stringify(directory)}); ${body}`;
  return ['--input-type=module', '--eval', program];
}

const lockFiles = (directory: string): string[] => readdirSync(directory).filter((name) => name.startsWith('LOCK'));

test('the error of a directory in use names the process that holds it and what to do', (t) => {
  const directory = directoryOf(t);
  new FileDisk(directory).lock();
  const error = t.throws(() => new FileDisk(directory).lock(), { instanceOf: DiskError });
  t.is(error?.kind, 'locked');
  t.true(error?.message.includes(`process ${process.pid}`));
  t.true(error?.message.includes(directory));
  t.deepEqual(lockFiles(directory), ['LOCK']);
});

test('a running process keeps others out, and its death by kill -9 lets them in', async (t) => {
  const directory = directoryOf(t);
  const child = spawn(
    process.execPath,
    script(directory, "disk.lock(); console.log('locked'); setInterval(() => {}, 1e6);"),
  );
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const error = t.throws(() => new FileDisk(directory).lock(), { instanceOf: DiskError });
  t.true(error?.message.includes(`process ${child.pid}`));
  child.kill('SIGKILL');
  await once(child, 'exit');
  new FileDisk(directory).lock();
  t.deepEqual(lockFiles(directory), ['LOCK']);
});

test('a process number that was given away again does not hold the lock', (t) => {
  const directory = directoryOf(t);
  const own = ownIdentity();
  const stale = { ...own, startTicks: '1', token: '0123456789abcdef' };
  writeFileSync(join(directory, 'LOCK'), JSON.stringify(stale));
  const disk = new FileDisk(directory);
  disk.lock();
  t.not(JSON.parse(readFileSync(join(directory, 'LOCK'), 'utf8')).token, stale.token);
  disk.unlock();
  t.deepEqual(lockFiles(directory), []);
});

test('a lock from before the machine was started again is stale', (t) => {
  const directory = directoryOf(t);
  writeFileSync(
    join(directory, 'LOCK'),
    JSON.stringify({ ...ownIdentity(), bootId: 'earlier', token: '0123456789abcdef' }),
  );
  new FileDisk(directory).lock();
  t.pass();
});

for (const content of [
  '',
  '{',
  'null',
  '{"pid":1}',
  '\0\0\0\0',
  '{"pid":1,"startTicks":"","bootId":"","token":"../../x"}',
]) {
  test(`a lock file that a power cut left as ${JSON.stringify(content)} is taken over`, (t) => {
    const directory = directoryOf(t);
    writeFileSync(join(directory, 'LOCK'), content);
    new FileDisk(directory).lock();
    t.deepEqual(lockFiles(directory), ['LOCK']);
    t.throws(() => new FileDisk(directory).lock(), { instanceOf: DiskError });
  });
}

test('a taker that died half-way does not stop the next one', (t) => {
  const directory = directoryOf(t);
  const gone = { ...ownIdentity(), startTicks: '1' };
  writeFileSync(join(directory, 'LOCK'), JSON.stringify({ ...gone, token: 'aaaaaaaaaaaaaaaa' }));
  writeFileSync(join(directory, 'LOCK.aaaaaaaaaaaaaaaa'), JSON.stringify({ ...gone, token: 'bbbbbbbbbbbbbbbb' }));
  writeFileSync(join(directory, 'LOCK.draft.cccccccccccccccc'), JSON.stringify({ ...gone, token: 'cccccccccccccccc' }));
  new FileDisk(directory).lock();
  t.deepEqual(lockFiles(directory), ['LOCK']);
});

test('of many processes that take over a stale lock at once, one gets it', async (t) => {
  const directory = directoryOf(t);
  const dead = spawnSync(process.execPath, script(directory, 'disk.lock();'));
  t.is(dead.status, 0, String(dead.stderr));
  t.deepEqual(lockFiles(directory), ['LOCK']);
  // Each waits for the common start, tries once, says how it went and keeps what it got.
  const body = `process.stdin.once('data', () => {
      try { disk.lock(); console.log('held'); } catch (error) { console.log(error.kind); }
    }); console.log('up');`;
  const children = Array.from({ length: 6 }, () => spawn(process.execPath, script(directory, body)));
  t.teardown(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  await Promise.all(children.map((child) => once(child.stdout, 'data')));
  const outcomes = Promise.all(children.map(async (child) => String((await once(child.stdout, 'data'))[0]).trim()));
  for (const child of children) child.stdin.write('go\n');
  t.deepEqual((await outcomes).sort(), ['held', 'locked', 'locked', 'locked', 'locked', 'locked']);
});

test('the start of a process is read whatever its name is', (t) => {
  const fields = Array.from({ length: 40 }, (_, index) => String(index + 3));
  const stat = (state: string): string => `77 (a) b) (c) ${[state, ...fields.slice(1)].join(' ')}`;
  t.is(parseStartTicks(stat('S')), '22');
  t.is(parseStartTicks(stat('Z')), undefined);
});
