import { type Children, freePort, SERVER_CORE, untilReady, versionOf } from '../children.js';
import type { Peer } from './peer.js';
import { redisAnswers, redisCommand } from './redis-command.js';

export type RedisPersistence =
  /** Memory only. */
  | 'none'
  /** Append-only file, fdatasync before each reply. */
  | 'always'
  /** Append-only file, synced once a second. */
  | 'everysec';

export const REDIS_INSTALL = 'apt-get install redis-server';

/** "Redis server v=7.0.15 …" shortened to the version, or undefined when Redis is not installed. */
export function redisVersion(): string | undefined {
  const line = versionOf('redis-server', ['--version']);
  return line === undefined ? undefined : (/v=(\S+)/.exec(line)?.[1] ?? line);
}

/** A Redis server on loopback with a directory of its own; a given directory is loaded. */
export async function startRedis(
  children: Children,
  persistence: RedisPersistence,
  directory: string = children.makeDirectory('redis'),
): Promise<Peer> {
  const port = await freePort();
  const child = launchRedis(children, persistence, directory, port);
  await untilReady(child, () => redisAnswers(port));
  return { ports: [port], pids: [child.pid], stop: () => children.stop(child) };
}

/** Starts the process only; the restart row does its own waiting. */
export function launchRedis(
  children: Children,
  persistence: RedisPersistence,
  directory: string,
  port: number,
): ReturnType<Children['start']> {
  const appendOnly =
    persistence === 'none'
      ? ['--appendonly', 'no']
      : // Never rewritten: what is measured is the log of the writes, on both sides.
        ['--appendonly', 'yes', '--appendfsync', persistence, '--auto-aof-rewrite-percentage', '0'];
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--dir', directory, ...appendOnly];
  return children.start('redis', 'redis-server', args, { core: SERVER_CORE });
}

/** `used_memory` of INFO: what Redis has allocated for its data, in bytes. */
export async function redisUsedMemory(port: number): Promise<number> {
  const info = await redisCommand(port, 'INFO memory\r\n', (reply) => reply.includes('used_memory_dataset:'));
  return Number(/used_memory:(\d+)/.exec(info)?.[1] ?? Number.NaN);
}
