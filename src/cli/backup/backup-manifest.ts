import { createHash } from 'node:crypto';
import type { Disk } from '../../ports/disk.js';
import { CliError } from '../cli-error.js';
import { ExitCode } from '../exit-code.js';

/** One segment file of a backup (docs/backup-format.md). */
export interface BackupSegment {
  /** Inside the backup's directory. */
  readonly file: string;
  readonly id: number;
  readonly generation: number;
  /** What belongs to the backup lies before this offset. */
  readonly bytes: number;
  readonly capacity: number;
  /** SHA-256 of these bytes, hexadecimal. */
  readonly checksum: string;
}

/** The log of one node. */
export interface BackupNode {
  readonly node: string;
  readonly number: number;
  readonly lastLsn: number;
  readonly segments: readonly BackupSegment[];
}

export interface BackupManifest {
  readonly format: 1;
  /** UUID of the cluster. */
  readonly cluster: string;
  readonly epoch: number;
  /** When it was begun, ISO 8601: everything acknowledged before is in it. */
  readonly begun: string;
  readonly nodes: readonly BackupNode[];
}

/** Its presence makes a directory a backup. */
export const MANIFEST_FILE = 'BACKUP.json';
/** There while a backup runs, and after one that did not come to its end. */
export const INCOMPLETE_FILE = 'INCOMPLETE';

export function encodeManifest(manifest: BackupManifest): Uint8Array {
  return Buffer.from(`${JSON.stringify({ manifest, checksum: checksumOf(manifest) }, undefined, 2)}\n`);
}

/** The manifest of a complete backup; undefined when there is none. Throws `CliError` when it is damaged. */
export function readManifest(disk: Disk, directory: string): BackupManifest | undefined {
  if (!disk.exists(MANIFEST_FILE)) return undefined;
  let document: { readonly manifest?: BackupManifest; readonly checksum?: unknown };
  try {
    document = JSON.parse(Buffer.from(disk.read(MANIFEST_FILE)).toString());
  } catch {
    return damaged(directory, 'it is not JSON');
  }
  const { manifest, checksum } = document;
  if (manifest === undefined || checksum !== checksumOf(manifest)) return damaged(directory, 'its checksum is wrong');
  if (manifest.format !== 1) {
    const message = `${directory} was written by a later version of memdb (format ${manifest.format}); use that one`;
    throw new CliError('unsupported-format', ExitCode.failed, message);
  }
  return manifest;
}

/** As `readManifest`, where a backup must be. */
export function requireManifest(disk: Disk, directory: string): BackupManifest {
  const manifest = readManifest(disk, directory);
  if (manifest !== undefined) return manifest;
  const begun = disk.exists(INCOMPLETE_FILE);
  const message = begun
    ? `the backup in ${directory} never came to its end; run \`memdb backup --to ${directory}\` again: it goes on where it stopped`
    : `there is no backup in ${directory}; make one with \`memdb backup --to ${directory}\``;
  throw new CliError(begun ? 'backup-incomplete' : 'no-backup', ExitCode.failed, message);
}

/** Where a segment goes. Id and generation name its contents, so a file never has to make room for another. */
export function segmentFile(node: string, id: number, generation: number): string {
  return `${nodeDirectory(node)}/${hex(id, 16)}-${hex(generation, 8)}.seg`;
}

export function nodeDirectory(node: string): string {
  return `nodes/${node}`;
}

/** The checksum of a segment's bytes, as the manifest has it. */
export function segmentChecksum(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function checksumOf(manifest: BackupManifest): string {
  return segmentChecksum(Buffer.from(JSON.stringify(manifest)));
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

function damaged(directory: string, why: string): never {
  const message = `${directory}/${MANIFEST_FILE} is damaged: ${why}. Without it the backup cannot be trusted; take another one into an empty directory`;
  throw new CliError('backup-damaged', ExitCode.failed, message);
}
