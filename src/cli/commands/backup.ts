import type { Command } from 'commander';
import { type BackupResult, takeBackup } from '../backup/take-backup.js';
import type { CliContext } from '../cli-context.js';
import { addDataOptions, type DataOptions, withClient } from '../data-command.js';
import { ProgressNotes, showBytes } from '../progress-notes.js';

interface BackupOptions extends DataOptions {
  readonly to: string;
}

/** A node may have to wait for its disk before it can answer. */
const TIMEOUT_MS = 10_000;

/** `memdb backup --to DIR`: the logs of all nodes, while they serve. */
export function registerBackup(program: Command, context: CliContext): void {
  const command = program
    .command('backup')
    .description('copy what the cluster holds into a directory; again into the same one takes only what is new')
    .requiredOption('--to <dir>', 'a directory, which is made when there is none');
  addDataOptions(command, false).action(async ({ to: directory, ...options }: BackupOptions) => {
    await withClient(context, options, async (client) => {
      const { io, report } = context;
      const disk = io.openDirectory(directory);
      const notes = new ProgressNotes(context);
      disk.lock();
      try {
        const result = await takeBackup({
          client,
          disk,
          directory,
          nowMs: io.nowMs(),
          timeoutMs: options.timeout ?? TIMEOUT_MS,
          onProgress: (done, all) => notes.show(`${showBytes(done)} of ${showBytes(all)}`),
        });
        for (const { node, error } of result.missing) {
          report.note(`memdb: node ${node} is not in it (a majority of the owners of each key is): ${error.message}`);
        }
        report.result(asDocument(directory, result), asText(directory, result));
      } finally {
        disk.unlock();
      }
    });
  });
}

function asDocument(directory: string, result: BackupResult): { readonly [name: string]: never } {
  const { manifest, incremental, segments, bytes, freshBytes, missing } = result;
  return {
    directory,
    incremental,
    segments,
    bytes,
    freshBytes,
    begun: manifest.begun,
    nodes: manifest.nodes.map(({ node, number, lastLsn, segments: own }) => ({
      number,
      id: node,
      lastLsn,
      segments: own.length,
    })),
    missing: missing.map(({ node, error }) => ({ node, message: error.message })),
  } as never;
}

function asText(directory: string, { manifest, incremental, segments, bytes, freshBytes }: BackupResult): string {
  const nodes = manifest.nodes.map(({ number }) => number).join(', ');
  const fresh = incremental ? `; ${showBytes(freshBytes)} of it new since the backup before` : '';
  return `${directory}: ${showBytes(bytes)} in ${segments} segments of the nodes ${nodes}${fresh}\n`;
}
