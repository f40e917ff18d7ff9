import type { Disk } from '../../ports/disk.js';
import { verifySegment } from '../../storage/log-inspect.js';
import { type BackupManifest, type BackupSegment, segmentChecksum } from './backup-manifest.js';

/** A place where a backup is not what it was. */
export interface BackupDamage {
  readonly file: string;
  readonly offset: number;
  readonly reason: string;
}

export interface BackupCheck {
  readonly segments: number;
  readonly bytes: number;
  readonly records: number;
  readonly damage: readonly BackupDamage[];
}

/** Reads every file that the manifest names and checks every byte of it; one file is in memory at a time. */
export function verifyBackup(disk: Disk, manifest: BackupManifest): BackupCheck {
  const damage: BackupDamage[] = [];
  let segments = 0;
  let bytes = 0;
  let records = 0;
  for (const segment of manifest.nodes.flatMap((node) => node.segments)) {
    segments++;
    bytes += segment.bytes;
    const found = readSegment(disk, segment);
    if (found instanceof Uint8Array) records += verifySegment(found).records;
    else damage.push(found);
  }
  return { segments, bytes, records, damage };
}

/** The bytes of a segment file as far as they belong to the backup, or where they are damaged. */
export function readSegment(disk: Disk, segment: BackupSegment): Uint8Array | BackupDamage {
  const { file, bytes, checksum } = segment;
  if (!disk.exists(file)) return { file, offset: 0, reason: 'the file is gone' };
  const content = disk.read(file);
  if (content.length < bytes) {
    return {
      file,
      offset: content.length,
      reason: `the file ends here, and ${bytes} bytes of it belong to the backup`,
    };
  }
  const part = content.subarray(0, bytes);
  if (segmentChecksum(part) === checksum) return part;
  // The records say where: each has a checksum of its own, and the header too.
  const report = verifySegment(content);
  if (report.header === undefined) return { file, offset: 0, reason: report.problem?.reason ?? 'no segment' };
  const offset = Math.min(report.bytes, bytes);
  return { file, offset, reason: 'the record here does not verify' };
}
