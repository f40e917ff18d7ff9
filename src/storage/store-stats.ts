import type { LogFiles } from './active-log.js';
import type { BufferPool } from './buffer-pool.js';
import type { Catalog } from './catalog.js';
import type { Segment } from './segment.js';
import type { StoreStats } from './store-options.js';

/** What a store holds and takes up, for metrics and people. `files` is undefined when nothing is durable. */
export function storeStats(
  catalog: Catalog,
  pool: BufferPool,
  files: LogFiles | undefined,
  accountedBytes: number,
  active: Segment,
): StoreStats {
  const { ordered } = catalog.segments;
  let segmentBytes = pool.bytes;
  let usedBytes = 0;
  for (const segment of ordered) {
    segmentBytes += segment.capacity;
    usedBytes += segment.tail;
  }
  const activeFileBytes = active.file === undefined ? 0 : active.fileBytes;
  return {
    keys: catalog.keys,
    tombstones: catalog.tombstones,
    entries: catalog.entries,
    liveBytes: catalog.liveBytes,
    deadBytes: usedBytes - catalog.liveBytes,
    segmentBytes,
    indexBytes: catalog.index.bytes,
    accountedBytes,
    logBytesOnDisk: files === undefined ? 0 : files.sealed.bytes + activeFileBytes + files.supply.bytes,
    segments: ordered.length,
    preparedSegments: files?.supply.count ?? 0,
    lastBatchBytes: files?.writer.lastBatchBytes ?? 0,
  };
}
