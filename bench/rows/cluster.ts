import { type Context, skip } from '../context.js';
import { startGenerator } from '../generators/generator-handle.js';
import { ETCD_INSTALL, etcdVersion, startEtcd } from '../peers/etcd.js';
import { type MemdbPeer, startMemdb } from '../peers/memdb.js';
import type { Peer } from '../peers/peer.js';
import { closedRounds, prepare, type Side } from './rounds.js';
import { rowOfRounds } from './row.js';
import { TARGETS } from './targets.js';

const KEYS = 100_000;

interface Load {
  readonly connections: number;
  /** Requests that each connection to MemDB keeps outstanding; a client of etcd has one. */
  readonly depth: 1 | 64;
}

const LOADS: readonly Load[] = [
  { connections: 51, depth: 64 },
  { connections: 51, depth: 1 },
  { connections: 300, depth: 1 },
];

/** Durable quorum SET on three nodes, beside three etcd members. Nothing is pinned: all share the machine's cores. */
export async function clusterRows(context: Context): Promise<void> {
  if (etcdVersion() === undefined) {
    skip(context, 'etcd', ETCD_INSTALL);
    return;
  }
  const { children, options } = context;
  const memdb = await startMemdb(children, {
    durability: 'sync',
    nodes: 3,
    profileDirectory: options.profileDirectory,
  });
  const etcd = await startEtcd(children);
  for (const load of LOADS) await clusterRow(context, memdb, etcd, load);
  await memdb.stop();
  await etcd.stop();
}

async function clusterRow(context: Context, memdb: MemdbPeer, etcd: Peer, load: Load): Promise<void> {
  const { connections, depth } = load;
  const title = `quorum SET, 3 nodes, ${connections} clients, depth ${depth}`;
  context.progress(title);
  const { children } = context;
  const ours: Side = { generator: startGenerator(children, 'memdb', undefined, memdb.credentials), pids: memdb.pids };
  const theirs: Side = { generator: startGenerator(children, 'etcd', undefined), pids: etcd.pids };
  await ours.generator.connect(memdb.ports, connections);
  await theirs.generator.connect(etcd.ports, connections);
  await prepare([ours, theirs], 'set', KEYS);
  const rounds = await closedRounds(context, ours, theirs, depth, 1);
  context.rows.push(rowOfRounds(title, 'etcd', rounds, depth === 64 ? TARGETS.clusterDepth64 : TARGETS.clusterDepth1));
  for (const side of [ours, theirs]) await side.generator.stop();
}
