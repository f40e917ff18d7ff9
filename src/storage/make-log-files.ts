import type { LogFiles } from './active-log.js';
import { LogWriter } from './log-writer.js';
import { manifestPlacement } from './manifest.js';
import type { RecoveredLog } from './recovery.js';
import { SealedFiles } from './sealed-files.js';
import type { Segment } from './segment.js';
import { segmentPath } from './segment-header.js';
import type { SegmentSizes } from './segment-sizes.js';
import { SegmentSupply } from './segment-supply.js';
import { StorageError } from './storage-error.js';
import type { StoreOptions } from './store-options.js';

export interface LogFilesEvents {
  /** The segment that takes appends. */
  readonly active: () => Segment;
  readonly expectsSpare: () => boolean;
  readonly onSpace: () => void;
  readonly onReady: () => void;
  readonly onFatal: (error: Error) => void;
}

/** Writes and syncs what is left, closes everything, then calls `done`. */
export function closeLogFiles(files: LogFiles, active: Segment, done: (error?: Error) => void): void {
  const finish = (error?: Error): void => {
    active.file?.close();
    files.sealed.close(() => files.supply.close(() => done(error)));
  };
  if (active.file === undefined && files.supply.full) {
    files.writer.stop();
    const path = segmentPath(active.id);
    finish(new StorageError('full', path, 0, `No room for ${path}: the last meta records were not kept.`));
    return;
  }
  files.writer.close(active, finish);
}

/** What takes the log to its files; undefined when nothing is durable. */
export function makeLogFiles(
  options: StoreOptions,
  recovered: RecoveredLog,
  sizes: SegmentSizes,
  events: LogFilesEvents,
): LogFiles | undefined {
  const { disk, onDurable } = options;
  if (disk === undefined) return undefined;
  const { catalog, prepared, nextId, lastLsn, proven, continued } = recovered;
  const { onSpace, onFatal } = events;
  const supply = new SegmentSupply({ ...options, ...events, disk, sizes, nextId, prepared });
  const writer = new LogWriter(options, { onDurable, onSpace, onFatal }, lastLsn, proven);
  const placement = (): ReturnType<typeof manifestPlacement> => manifestPlacement(catalog);
  const sealed = catalog.segments.ordered.filter((segment) => segment !== continued);
  return {
    supply,
    writer,
    sealed: new SealedFiles({ ...options, ...events, disk, writer, supply, placement }, sealed),
  };
}
