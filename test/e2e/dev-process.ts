import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type ClusterFile, parseClusterFile } from '../../src/cli/dev/cluster-file.js';
import { freePorts, isAlive, type Program, startMemDb } from './memdb-process.js';

export interface DevCluster {
  readonly program: Program;
  readonly directory: string;
  readonly port: number;
  /** `cluster.json` as it is now. */
  cluster(): ClusterFile;
}

/** Starts `memdb dev` in `directory` and waits until it says that it serves. */
export async function startDev(
  t: ExecutionContext,
  directory: string,
  options: { readonly port?: number; readonly words?: readonly string[] } = {},
): Promise<DevCluster> {
  const port = options.port ?? (await freePorts(3));
  const program = startMemDb(
    t,
    ['dev', '--port', String(port), '--manager-port', String(port + 200), ...(options.words ?? [])],
    { directory },
  );
  await program.printed(/MemDB serves/);
  const cluster = (): ClusterFile => readCluster(directory);
  const pids = cluster().nodes.map((node) => node.pid ?? 0);
  t.teardown(() => {
    for (const pid of pids.filter((pid) => pid > 0 && isAlive(pid))) process.kill(pid, 'SIGKILL');
  });
  return { program, directory, port, cluster };
}

export function readCluster(directory: string): ClusterFile {
  const text = readFileSync(join(directory, '.memdb/cluster.json'), 'utf8');
  const cluster = parseClusterFile(text);
  if (cluster === undefined) throw new Error(`not a cluster file: ${text}`);
  return cluster;
}

/** Ends it as Ctrl-C does. */
export async function stopDev(dev: DevCluster): Promise<number | null> {
  dev.program.signal('SIGINT');
  return (await dev.program.ended).code;
}
