import type { Client } from '@memdb/client';
import type { Disk } from '../../ports/disk.js';
import { type DescribedRecord, describeRecordAt, dumpSegment } from '../../storage/log-inspect.js';
import { CliError } from '../cli-error.js';
import { ExitCode } from '../exit-code.js';
import type { BackupManifest } from './backup-manifest.js';
import { NewestIndex } from './newest-index.js';
import { RestoreWriter } from './restore-writer.js';
import { readSegment } from './verify-backup.js';

/** `refuse`: only into an empty cluster. `merge`: keys that exist stay as they are. `overwrite`: the backup's win. */
export type ExistingKeys = 'refuse' | 'merge' | 'overwrite';

export interface RestoreOptions {
  /** Undefined: only count. */
  readonly client: Client | undefined;
  readonly disk: Disk;
  /** As the user named it. */
  readonly directory: string;
  readonly manifest: BackupManifest;
  readonly existing: ExistingKeys;
  /** Memory for finding the newest versions; more keys than fit are restored in several passes. */
  readonly indexBytesMax: number;
  /** Wall clock, for values that expire. */
  readonly nowMs: () => number;
  /** Milliseconds for each request. */
  readonly timeoutMs: number;
  readonly onProgress: (restored: number) => void;
}

export interface RestoreResult {
  /** Keys with a value that has not expired. */
  readonly keys: number;
  /** Of these: written by this run. */
  readonly written: number;
  /** With `merge`: that were there already. */
  readonly kept: number;
  readonly deleted: number;
  readonly expired: number;
  readonly passes: number;
}

const HASHES_END: number = 2 ** 32;

/**
 * Writes the newest version of every key of a backup into a cluster of any size: ordinary writes, with fresh stamps, at
 * quorum. Deleted keys and expired values are left out; a deadline that is still to come is kept.
 *
 * Run again after an interruption with `merge`, it goes on: what is there already is not written again.
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreResult> {
  const { client, existing, manifest, indexBytesMax, timeoutMs } = options;
  if (client !== undefined && existing === 'refuse') await requireEmpty(client, timeoutMs);
  const segments = manifest.nodes.flatMap((node) => node.segments);
  const result = { keys: 0, written: 0, kept: 0, deleted: 0, expired: 0, passes: 0 };
  const writer = client && new RestoreWriter(client, existing === 'merge', timeoutMs);
  for (let low = 0; low < HASHES_END; result.passes++) {
    const index = new NewestIndex(low, indexBytesMax);
    for (const file of segments.keys()) {
      for (const record of dumpSegment(contentOf(options, file))) {
        if (record.kind === 'value' || record.kind === 'tombstone' || record.kind === 'serial') index.add(record, file);
      }
    }
    result.deleted += index.deleted;
    let loaded = -1;
    let content: Uint8Array = NO_BYTES;
    for (const { file, offset } of index.values()) {
      if (file !== loaded) {
        content = contentOf(options, file);
        loaded = file;
      }
      const record = recordAt(content, offset);
      const ttlMs = record.expiresAtMs === undefined ? undefined : record.expiresAtMs - options.nowMs();
      if (ttlMs !== undefined && ttlMs <= 0) {
        result.expired++;
        continue;
      }
      result.keys++;
      if (writer === undefined) continue;
      await writer.add(record.key, record.value, ttlMs);
      options.onProgress(writer.written + writer.kept);
    }
    low = index.high;
  }
  await writer?.finish();
  return { ...result, written: writer?.written ?? 0, kept: writer?.kept ?? 0 };
}

const NO_BYTES = new Uint8Array(0);

function contentOf({ disk, directory, manifest }: RestoreOptions, file: number): Uint8Array {
  const segment = manifest.nodes.flatMap((node) => node.segments)[file];
  const content = readSegment(disk, segment);
  if (content instanceof Uint8Array) return content;
  const message = `${directory}/${content.file} is damaged at offset ${content.offset}: ${content.reason}. Nothing of it is restored; use another backup`;
  throw new CliError('backup-damaged', ExitCode.failed, message);
}

function recordAt(content: Uint8Array, offset: number): DescribedRecord {
  const record = describeRecordAt(content, offset);
  if (record === undefined) throw new Error(`invariant: the record at ${offset} was there a moment ago`);
  return record;
}

async function requireEmpty(client: Client, timeoutMs: number): Promise<void> {
  const { done } = await client.keysBytes({ timeoutMs }).next();
  if (done === true) return;
  const message =
    'the cluster is not empty. To go on with a restore that was interrupted, or to add what is missing, use --merge: keys that exist stay as they are. To let the values of the backup win, use --overwrite';
  throw new CliError('cluster-not-empty', ExitCode.failed, message);
}
