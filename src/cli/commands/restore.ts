import { type Command, Option } from 'commander';
import { requireManifest } from '../backup/backup-manifest.js';
import { type ExistingKeys, type RestoreResult, restoreBackup } from '../backup/restore-backup.js';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, type DataOptions, withClient } from '../data-command.js';
import { ProgressNotes } from '../progress-notes.js';

interface RestoreOptions extends DataOptions {
  readonly from: string;
  readonly merge?: true;
  readonly overwrite?: true;
  readonly dryRun?: true;
}

/** A cluster that is filled as fast as it can be makes writes wait for its disks. */
const TIMEOUT_MS = 10_000;
/** About 4 million keys of 16 bytes; more are restored in several passes over the backup. */
const INDEX_BYTES_MAX: number = 256 * 1024 * 1024;

/** `memdb restore --from DIR`: the newest version of every key, as ordinary writes. */
export function registerRestore(program: Command, context: CliContext): void {
  const command = program
    .command('restore')
    .description('write what a backup holds into a cluster of any size; an empty one unless told otherwise')
    .requiredOption('--from <dir>', 'the directory that `memdb backup` wrote')
    .addOption(new Option('--merge', 'keys that exist stay as they are; also to go on after an interruption'))
    .addOption(
      new Option('--overwrite', 'the values of the backup replace those of keys that exist').conflicts('merge'),
    )
    .option('--dry-run', 'only count, without a cluster');
  addDataOptions(command, false).action(async (options: RestoreOptions) => {
    const { io, report } = context;
    const { from: directory } = options;
    const disk = io.openDirectory(directory);
    const manifest = requireManifest(disk, directory);
    const notes = new ProgressNotes(context);
    const existing: ExistingKeys = options.overwrite ? 'overwrite' : options.merge ? 'merge' : 'refuse';
    const settings = {
      disk,
      directory,
      manifest,
      existing,
      indexBytesMax: INDEX_BYTES_MAX,
      nowMs: () => io.nowMs(),
      timeoutMs: options.timeout ?? TIMEOUT_MS,
      onProgress: (restored: number) => notes.show(`${restored} keys`),
    };
    const tell = (result: RestoreResult): void => {
      const dryRun = options.dryRun === true;
      report.result({ directory, dryRun, begun: manifest.begun, ...result }, asText(directory, dryRun, result));
    };
    if (options.dryRun) {
      tell(await restoreBackup({ ...settings, client: undefined }));
      return;
    }
    context.mayWrite = true;
    await withClient(context, options, async (client) => tell(await restoreBackup({ ...settings, client })));
  });
}

function asText(directory: string, dryRun: boolean, result: RestoreResult): string {
  const { keys, written, kept, deleted, expired } = result;
  const left = [
    ...(deleted === 0 ? [] : [`${deleted} deleted keys stay deleted`]),
    ...(expired === 0 ? [] : [`${expired} values have expired`]),
    ...(kept === 0 ? [] : [`${kept} keys existed and stay as they are`]),
  ];
  const rest = left.length === 0 ? '' : `; ${left.join('; ')}`;
  return dryRun ? `${directory}: ${keys} keys would be restored${rest}\n` : `${written} keys restored${rest}\n`;
}
