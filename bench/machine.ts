import { statfsSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { hasTaskset } from './children.js';
import { etcdVersion } from './peers/etcd.js';
import { redisVersion } from './peers/redis.js';

/** `f_type` of a file system that is memory (statfs(2)): syncing there costs nothing. */
const TMPFS_MAGIC = 0x01021994;

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  /** Load average of the last minute, before the run: other work makes wall-clock ratios unreliable. */
  readonly loadBefore: number;
  readonly versions: Readonly<Record<string, string>>;
  /** What makes figures of this machine less than they seem. */
  readonly warnings: readonly string[];
}

export function describeMachine(directory: string): Machine {
  const cores = availableParallelism();
  const warnings: string[] = [];
  if (cores < 2) warnings.push('one core: server and generator share it');
  if (!hasTaskset()) warnings.push('no taskset: nothing is pinned to a core');
  if (statfsSync(directory).type === TMPFS_MAGIC) {
    warnings.push(`${directory} is memory: rows that sync mean nothing; see --directory`);
  }
  return {
    cores,
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    loadBefore: loadavg()[0],
    versions: {
      node: process.versions.node,
      redis: redisVersion() ?? 'not installed',
      etcd: etcdVersion() ?? 'not installed',
    },
    warnings,
  };
}
