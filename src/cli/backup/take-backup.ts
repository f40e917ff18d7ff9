import type { Client, NodeSnapshot, TopologyDescription } from '@memdb/client';
import { MemDbError } from '@memdb/protocol';
import type { Disk } from '../../ports/disk.js';
import { CliError } from '../cli-error.js';
import { ExitCode } from '../exit-code.js';
import {
  type BackupManifest,
  type BackupNode,
  type BackupSegment,
  encodeManifest,
  INCOMPLETE_FILE,
  MANIFEST_FILE,
  nodeDirectory,
  readManifest,
} from './backup-manifest.js';
import { takeSegment } from './segment-writer.js';

export interface BackupResult {
  readonly manifest: BackupManifest;
  /** Whether an earlier backup was gone on from. */
  readonly incremental: boolean;
  readonly segments: number;
  readonly bytes: number;
  /** Of these: read from the nodes by this run. */
  readonly freshBytes: number;
  /** Numbers of nodes that could not be asked; a majority of the owners of everything could. */
  readonly missing: readonly { readonly node: number; readonly error: Error }[];
}

export interface BackupOptions {
  readonly client: Client;
  /** Locked by the caller. */
  readonly disk: Disk;
  /** As the user named it. */
  readonly directory: string;
  readonly nowMs: number;
  readonly timeoutMs: number;
  /** After each segment. */
  readonly onProgress: (doneBytes: number, allBytes: number) => void;
}

/**
 * Copies the logs of all nodes that can be reached into a directory, without stopping writes: each node's log as it is
 * durable at one moment after the beginning. What was acknowledged at quorum before is durable on a majority of its
 * owners, and a majority of the owners of everything is among the nodes, or there is no backup: so it is in there.
 *
 * Each backup replaces the one before by its manifest, in one step. It names a node's log as a whole, so that keys whose
 * deletion has been purged since do not come back; files that are the same as before are not read again.
 */
export async function takeBackup(options: BackupOptions): Promise<BackupResult> {
  const { client, disk, directory, nowMs } = options;
  const before = readManifest(disk, directory);
  const topology = topologyOf(client);
  if (before !== undefined && before.cluster !== topology.clusterId) {
    const message = `${directory} holds a backup of another cluster (${before.cluster}); name another directory`;
    throw new CliError('other-cluster', ExitCode.failed, message);
  }
  disk.replace(INCOMPLETE_FILE, Buffer.from(`begun ${new Date(nowMs).toISOString()}\n`));
  const { snapshots, missing } = await openAll(client, topology, options.timeoutMs);
  try {
    checkMajorities(topology, snapshots, missing);
    const progress = new Progress(snapshots, options.onProgress);
    const nodes = await Promise.all(snapshots.map((snapshot) => takeNode(options, snapshot, before, progress)));
    const begun = new Date(nowMs).toISOString();
    const manifest: BackupManifest = { format: 1, cluster: topology.clusterId, epoch: topology.epoch, begun, nodes };
    for (const { node } of nodes) disk.syncDirectory(nodeDirectory(node));
    disk.replace(MANIFEST_FILE, encodeManifest(manifest));
    disk.remove(INCOMPLETE_FILE);
    removeOthers(disk, manifest, before);
    disk.syncDirectory('.');
    const segments = nodes.reduce((sum, node) => sum + node.segments.length, 0);
    const { allBytes: bytes, freshBytes } = progress;
    return { manifest, incremental: before !== undefined, segments, bytes, freshBytes, missing };
  } finally {
    // A node that is gone by now has let it go anyway, or does so by itself.
    await Promise.allSettled(snapshots.map((snapshot) => snapshot.close()));
  }
}

async function takeNode(
  { disk, directory }: BackupOptions,
  snapshot: NodeSnapshot,
  before: BackupManifest | undefined,
  progress: Progress,
): Promise<BackupNode> {
  const { node, number, lastLsn } = snapshot;
  disk.makeDirectory(nodeDirectory(node));
  const held = before?.nodes.find((earlier) => earlier.node === node)?.segments ?? [];
  const segments: BackupSegment[] = [];
  for (const wanted of snapshot.segments) {
    const same = held.find(({ id, generation }) => id === wanted.id && generation === wanted.generation);
    const { segment, fresh } = await takeSegment(disk, directory, snapshot, wanted, same);
    segments.push(segment);
    progress.add(wanted.bytes, fresh);
  }
  return { node, number, lastLsn, segments };
}

class Progress {
  readonly allBytes: number;
  freshBytes = 0;
  #doneBytes = 0;
  readonly #report: (doneBytes: number, allBytes: number) => void;

  constructor(snapshots: readonly NodeSnapshot[], report: (doneBytes: number, allBytes: number) => void) {
    this.#report = report;
    this.allBytes = snapshots.flatMap(({ segments }) => segments).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  add(bytes: number, fresh: number): void {
    this.#doneBytes += bytes;
    this.freshBytes += fresh;
    this.#report(this.#doneBytes, this.allBytes);
  }
}

function topologyOf(client: Client): TopologyDescription {
  const { topology } = client;
  if (topology === undefined) throw new MemDbError('not-founded', 'The cluster has not told who belongs to it yet.');
  return topology;
}

async function openAll(
  client: Client,
  topology: TopologyDescription,
  timeoutMs: number,
): Promise<{ snapshots: NodeSnapshot[]; missing: { node: number; error: Error }[] }> {
  const snapshots: NodeSnapshot[] = [];
  const missing: { node: number; error: Error }[] = [];
  await Promise.all(
    topology.nodes.map(({ number }) =>
      client.openSnapshot(number, { timeoutMs }).then(
        (snapshot) => snapshots.push(snapshot),
        (error: Error) => missing.push({ node: number, error }),
      ),
    ),
  );
  snapshots.sort((left, right) => left.number - right.number);
  return { snapshots, missing };
}

/** What was acknowledged at quorum is on a majority of owners: one of them must be in the backup, whichever it was. */
function checkMajorities(
  topology: TopologyDescription,
  snapshots: readonly NodeSnapshot[],
  missing: readonly { readonly node: number; readonly error: Error }[],
): void {
  const taken = new Set(snapshots.map(({ number }) => number));
  const short = topology.owners.some(
    (owners) => owners.filter((owner) => taken.has(owner)).length * 2 <= owners.length,
  );
  if (!short) return;
  const reasons = missing.map(({ node, error }) => `node ${node}: ${error.message}`).join('; ');
  const message = `too few nodes can be read for a backup that holds every acknowledged write: a majority of the owners of each key is needed. ${reasons}`;
  throw new CliError('nodes-missing', ExitCode.unreachable, message);
}

/** Files that this backup does not need any more. A crash before this leaves them to the next one. */
function removeOthers(disk: Disk, manifest: BackupManifest, before: BackupManifest | undefined): void {
  const named = new Set(manifest.nodes.flatMap(({ segments }) => segments.map(({ file }) => file)));
  const nodes = new Set([...manifest.nodes, ...(before?.nodes ?? [])].map(({ node }) => node));
  for (const node of nodes) {
    for (const name of disk.list(nodeDirectory(node))) {
      const file = `${nodeDirectory(node)}/${name}`;
      if (!named.has(file)) disk.remove(file);
    }
  }
}
