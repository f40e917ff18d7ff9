import type { BufferPool } from './buffer-pool.js';
import { Catalog } from './catalog.js';
import { type RecoveredLog, recoverLog } from './recovery.js';
import { COPY_ID_FIRST } from './segment-header.js';
import { SEGMENT_OVERHEAD_BYTES } from './segment-sizes.js';
import { SegmentTable } from './segment-table.js';
import type { StoreOptions } from './store-options.js';

/** A location has 32 bits for words of 4 bytes, 16 GiB: 16 segments of this size. */
const SEGMENT_BYTES_MAX: number = 2 ** 30;

/** Reads the log back, or makes an empty one where nothing is durable. See `Store.open` for what it throws. */
export function openLog(options: StoreOptions, pool: BufferPool): RecoveredLog {
  const { disk, clock, telemetry } = options;
  checkOptions(options);
  if (disk === undefined) return emptyLog(options);
  const startedMs = clock.monotonicMs();
  const recovered = recoverLog({ ...options, disk, pool });
  telemetry.log('info', 'log-recovered', {
    lastLsn: recovered.lastLsn,
    keys: recovered.catalog.keys,
    segments: recovered.catalog.segments.ordered.length,
    rewrittenBytes: recovered.rewrittenBytes,
    milliseconds: clock.monotonicMs() - startedMs,
  });
  return recovered;
}

function checkOptions({ segmentBytes, durability, disk }: StoreOptions): void {
  const powerOfTwo = 2 ** Math.round(Math.log2(segmentBytes)) === segmentBytes;
  if (!powerOfTwo || segmentBytes <= SEGMENT_OVERHEAD_BYTES || segmentBytes > SEGMENT_BYTES_MAX) {
    throw new RangeError(
      `segmentBytes is ${segmentBytes}; it must be a power of two above ${SEGMENT_OVERHEAD_BYTES} and at most ${SEGMENT_BYTES_MAX}`,
    );
  }
  if ((durability === 'none') !== (disk === undefined)) {
    throw new TypeError(`durability ${durability} needs ${durability === 'none' ? 'no' : 'a'} disk`);
  }
}

function emptyLog(options: StoreOptions): RecoveredLog {
  return {
    catalog: new Catalog(new SegmentTable(options.segmentBytes), options),
    lastLsn: 0,
    continued: undefined,
    previous: { id: 0, end: 0 },
    proven: { segment: 0, offset: 0 },
    prepared: [],
    nextId: 1,
    nextCopyId: COPY_ID_FIRST,
    rewrittenBytes: 0,
  };
}
