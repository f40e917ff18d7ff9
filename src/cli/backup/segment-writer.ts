import type { NodeSnapshot, SnapshotSegment } from '@memdb/client';
import type { Disk, DiskFile } from '../../ports/disk.js';
import { verifySegment } from '../../storage/log-inspect.js';
import { CliError } from '../cli-error.js';
import { ExitCode } from '../exit-code.js';
import { type BackupSegment, segmentChecksum, segmentFile } from './backup-manifest.js';

/** Chunks of 256 KiB asked for and not there yet: enough to keep a fast link busy, 1 MiB for each node. */
const CHUNKS_UNDER_WAY = 4;

/** What taking one segment cost. */
export interface TakenSegment {
  readonly segment: BackupSegment;
  /** Bytes that were read from the node. */
  readonly fresh: number;
}

/**
 * Makes the file of one segment complete: what an earlier backup holds, or one that was interrupted left behind, is
 * checked and kept; the rest is read from the node, checked and synced.
 */
export async function takeSegment(
  disk: Disk,
  directory: string,
  snapshot: NodeSnapshot,
  wanted: SnapshotSegment,
  held: BackupSegment | undefined,
): Promise<TakenSegment> {
  const { id, generation, bytes, capacity } = wanted;
  const path = segmentFile(snapshot.node, id, generation);
  if (held?.bytes === bytes) return { segment: held, fresh: 0 };
  const have = held === undefined ? keptOf(disk, path, wanted) : checkHeld(disk, directory, held);
  if (!disk.exists(path)) disk.replace(path, new Uint8Array(0));
  const file = disk.open(path);
  try {
    await receive(snapshot, wanted, file, have);
    if (file.size() < capacity) file.write(ZERO, 0, 1, capacity - 1);
    await synced(file);
    const content = readFile(file, capacity);
    const report = verifySegment(content);
    if (report.problem !== undefined || report.bytes < bytes) {
      const at = report.problem?.offset ?? report.bytes;
      const message = `${directory}/${path} does not verify at offset ${at} as node ${snapshot.number} sent it: ${report.problem?.reason ?? 'the records end there'}. Remove the file and run the command again; if it happens again, the node's log is damaged`;
      throw new CliError('segment-damaged', ExitCode.failed, message);
    }
    const checksum = segmentChecksum(content.subarray(0, bytes));
    return { segment: { file: path, id, generation, bytes, capacity, checksum }, fresh: bytes - have };
  } finally {
    file.close();
  }
}

/** How much of a file that no manifest names is good: what an interrupted backup left behind its last record is not. */
function keptOf(disk: Disk, path: string, { id, generation, bytes }: SnapshotSegment): number {
  if (!disk.exists(path)) return 0;
  const content = disk.read(path);
  if (content.length === 0) return 0;
  const report = verifySegment(content);
  if (report.header?.id !== id || report.header.generation !== generation) return 0;
  return Math.min(report.bytes, bytes);
}

/** Nothing is added to a file that is damaged. */
function checkHeld(disk: Disk, directory: string, held: BackupSegment): number {
  const content = disk.exists(held.file) ? disk.read(held.file).subarray(0, held.bytes) : undefined;
  if (content !== undefined && segmentChecksum(content) === held.checksum) return held.bytes;
  const message = `${directory}/${held.file} of the backup before is damaged (\`memdb log verify ${directory}\` tells where); take another backup into an empty directory`;
  throw new CliError('backup-damaged', ExitCode.failed, message);
}

async function receive(snapshot: NodeSnapshot, wanted: SnapshotSegment, file: DiskFile, from: number): Promise<void> {
  let next = from;
  const work = async (): Promise<void> => {
    while (next < wanted.bytes) {
      const offset = next;
      next = Math.min(offset + CHUNK_BYTES, wanted.bytes);
      const end = next;
      for (let at = offset; at < end; ) {
        const chunk = await snapshot.read(wanted, at);
        const length = Math.min(chunk.length, end - at);
        file.write(chunk, 0, length, at);
        at += length;
      }
    }
  };
  await Promise.all(Array.from({ length: CHUNKS_UNDER_WAY }, work));
}

const CHUNK_BYTES: number = 256 * 1024;
const ZERO = new Uint8Array(1);

function readFile(file: DiskFile, bytes: number): Uint8Array {
  const content = new Uint8Array(bytes);
  file.read(content, 0, bytes, 0);
  return content;
}

function synced(file: DiskFile): Promise<void> {
  return new Promise((resolve, reject) => file.sync((error) => (error === undefined ? resolve() : reject(error))));
}
