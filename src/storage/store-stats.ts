import type { LogFiles } from './active-log.js';
import type { BufferPool } from './buffer-pool.js';
import type { Catalog } from './catalog.js';
import type { StoreStats } from './store-options.js';

/** What a store holds and takes up, for metrics and people. `files` is undefined when nothing is durable. */
export function storeStats(
  catalog: Catalog,
  pool: BufferPool,
  files: LogFiles | undefined,
  segmentBytesMax: number,
  accountedBytes: number,
): StoreStats {
  const { ordered } = catalog.segments;
  const preparedSegments = files?.supply.count ?? 0;
  let segmentBytes = pool.bytes;
  let usedBytes = 0;
  for (const segment of ordered) {
    segmentBytes += segment.capacity;
    usedBytes += segment.tail;
  }
  return {
    keys: catalog.keys,
    tombstones: catalog.tombstones,
    liveBytes: catalog.liveBytes,
    deadBytes: usedBytes - catalog.liveBytes,
    segmentBytes,
    indexBytes: catalog.index.bytes,
    accountedBytes,
    logBytesOnDisk: files === undefined ? 0 : segmentBytes - pool.bytes + preparedSegments * segmentBytesMax,
    segments: ordered.length,
    preparedSegments,
    lastBatchBytes: files?.writer.lastBatchBytes ?? 0,
  };
}
