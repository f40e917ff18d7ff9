import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { repository } from './memdb-process.js';

function directoryOf(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'memdb-launcher-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs `program` with a `node` in the path that says how it was called. */
function callOf(t: ExecutionContext, program: string, environment: Readonly<Record<string, string>>): string[] {
  const directory = directoryOf(t);
  writeFileSync(join(directory, 'node'), '#!/bin/sh\nprintf "%s\\n" "$GLIBC_TUNABLES" "$@"\n');
  chmodSync(join(directory, 'node'), 0o755);
  const path = `${directory}:${process.env.PATH}`;
  const { stdout, stderr } = spawnSync(program, ['get', 'a key', '--json'], {
    encoding: 'utf8',
    env: { PATH: path, ...environment },
  });
  t.is(stderr, '');
  return stdout.split('\n').slice(0, -1);
}

test('the program asks for huge pages, unless the environment says something else, and passes its words on', (t) => {
  const program = join(repository, 'bin/memdb.js');
  t.deepEqual(callOf(t, program, {}), ['glibc.malloc.hugetlb=1', program, 'get', 'a key', '--json']);
  t.is(callOf(t, program, { GLIBC_TUNABLES: 'glibc.malloc.check=1' })[0], 'glibc.malloc.check=1');
  t.is(callOf(t, program, { GLIBC_TUNABLES: '' })[0], '');
});

test('the program runs where a link leads to it, and under node', (t) => {
  const directory = directoryOf(t);
  const link = join(directory, 'memdb');
  symlinkSync(join(repository, 'bin/memdb.js'), link);
  const node = `${dirname(process.execPath)}:${process.env.PATH}`;
  const linked = spawnSync(link, ['--version'], { encoding: 'utf8', env: { PATH: node } });
  const direct = spawnSync(process.execPath, [link, '--version'], { encoding: 'utf8' });
  t.regex(linked.stdout, /^\d+\.\d+\.\d+\n$/);
  t.is(direct.stdout, linked.stdout);
});

test('the bundle runs, and what it is made of where that is newer', (t) => {
  const directory = directoryOf(t);
  const write = (path: string, text: string, second: number): void => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
    utimesSync(join(directory, path), second, second);
  };
  const run = (): string => {
    const { stdout, stderr } = spawnSync(process.execPath, [join(directory, 'bin/memdb.js')], { encoding: 'utf8' });
    return stdout + stderr;
  };
  write('package.json', '{"type":"module"}', 1);
  write('bin/memdb.js', '', 1);
  copyFileSync(join(repository, 'bin/memdb.js'), join(directory, 'bin/memdb.js'));
  t.regex(run(), /not built yet/);
  write('dist/src/main.js', 'console.log("compiled")', 2);
  write('dist/src/.tsbuildinfo', '', 2);
  t.is(run(), 'compiled\n');
  write('dist/program/main.js', 'console.log("bundled")', 3);
  t.is(run(), 'bundled\n');
  write('protocol/dist/.tsbuildinfo', '', 4);
  t.is(run(), 'compiled\n');
});
