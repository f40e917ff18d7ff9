import { readFileSync } from 'node:fs';
import { isAlive } from '../e2e/memdb-process.js';
import { run } from './machine.js';

/**
 * Takes away what tests of processes that are gone have left behind, which happens only when they are killed: the names
 * of mounts and namespaces carry their process id. Loop devices go with their mounts.
 */
export function removeLeftMounts(): void {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[1] ?? []);
  for (const directory of mounts.toReversed()) {
    if (isLeft(/\/memdb-disk-(\d+)-/, directory)) run('umount', '--lazy', directory);
  }
}

/** As `removeLeftMounts`. */
export function removeLeftNamespaces(): void {
  for (const name of run('ip', 'netns', 'list')
    .split('\n')
    .flatMap((line) => line.split(' ')[0] ?? [])) {
    if (isLeft(/^memdb-(\d+)-/, name)) run('ip', 'netns', 'del', name);
  }
}

function isLeft(pattern: RegExp, name: string): boolean {
  const pid = pattern.exec(name)?.[1];
  return pid !== undefined && !isAlive(Number(pid));
}
