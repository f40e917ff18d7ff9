import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

/** libfaketime of the distribution's package `faketime`. */
export const FAKETIME_LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

/** Not what npm puts before it: a package has a program `nft`, too. */
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Something that a machine may not allow. */
export type Need = 'root' | 'faketime' | 'tmpfs' | 'loop' | 'namespaces' | 'perl';

/** How to find out: each says why not, or throws. */
const probes: Readonly<Record<Need, () => string | undefined>> = {
  root: () => (process.getuid?.() === 0 ? undefined : 'not root'),
  faketime: () => (existsSync(FAKETIME_LIBRARY) ? undefined : 'the package faketime is not installed'),
  perl: () => missing('perl'),
  tmpfs: () => {
    const tool = missing('mount', 'umount');
    if (tool !== undefined) return tool;
    const directory = mkdtempSync(join(tmpdir(), 'memdb-probe-'));
    try {
      run('mount', '-t', 'tmpfs', 'memdb-probe', directory);
      run('umount', directory);
    } finally {
      rmSync(directory, { recursive: true });
    }
    return undefined;
  },
  loop: () => {
    const tool = missing('mkfs.ext4', 'losetup');
    if (tool === undefined) run('losetup', '--find');
    return tool;
  },
  namespaces: () => {
    const tool = missing('ip', 'nft', 'tc');
    if (tool !== undefined) return tool;
    const name = `memdb-probe-${process.pid}`;
    run('ip', 'netns', 'add', name);
    try {
      run('ip', 'netns', 'exec', name, 'nft', 'add', 'table', 'inet', 'probe');
    } finally {
      run('ip', 'netns', 'del', name);
    }
    return undefined;
  },
};

function missing(...tools: readonly string[]): string | undefined {
  const absent = tools.find((tool) => !SYSTEM_PATH.split(':').some((directory) => existsSync(`${directory}/${tool}`)));
  return absent && `${absent} is not installed`;
}

/**
 * Whether this machine can do what a fault needs. If not, the test says `skipped: why` and passes: the simulation has a
 * twin of every fault here (docs/testing.md).
 */
export function can(t: ExecutionContext, ...needs: readonly Need[]): boolean {
  for (const need of ['root', ...needs] as const) {
    const why = problemOf(need);
    if (why === undefined) continue;
    t.log(`skipped: ${why}`);
    t.pass();
    return false;
  }
  return true;
}

function problemOf(need: Need): string | undefined {
  try {
    return probes[need]();
  } catch (error) {
    return `${need} fails: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
  }
}

/** Runs a program of the system to its end and returns what it printed. Throws what it said when it fails. */
export function run(program: string, ...words: readonly string[]): string {
  const env = { ...process.env, PATH: SYSTEM_PATH };
  return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env });
}

/** The letter that the kernel gives for what a process does: `T` is stopped. */
export function processState(pid: number): string {
  return run('ps', '-o', 'state=', '-p', String(pid)).trim();
}
