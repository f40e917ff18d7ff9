import { LEVEL } from './bare-client.js';
import type { BrokenPromises } from './broken-promise.js';
import { byKey, type History, type ScanEvent, type WriteEvent } from './history.js';

/**
 * A key that is there from the beginning of a scan to its end comes at least once (semantics: Consistency). One that is
 * surely away all the time does not come. What is written, deleted or expires meanwhile may come or not, and with
 * eviction (`evicts`) anything may be gone.
 */
export function checkScans(history: History, evicts: boolean, broken: BrokenPromises): void {
  const writes = byKey(history.writes.filter(({ outcome }) => outcome !== 'not-applied'));
  for (const scan of history.scans) {
    for (const [key, keyWrites] of writes) {
      if (!key.startsWith(scan.prefix)) continue;
      const state = stateThroughout(scan, keyWrites);
      if (state === 'there' && !evicts && !scan.keys.has(key)) {
        broken.add(`a scan (${scan.begun}–${scan.ended}) does not name it although it was there throughout`, key);
      }
      if (state === 'away' && scan.keys.has(key)) {
        broken.add(`a scan (${scan.begun}–${scan.ended}) names it although it was away throughout`, key);
      }
    }
    for (const key of scan.keys) {
      if (!writes.has(key)) broken.add('a scan names it although nobody wrote it', key);
      if (!key.startsWith(scan.prefix)) broken.add(`a scan of "${scan.prefix}" names it`, key);
    }
  }
}

function stateThroughout(scan: ScanEvent, writes: readonly WriteEvent[]): 'there' | 'away' | 'unclear' {
  const settled = writes.filter(
    (write) => write.outcome === 'acknowledged' && write.level !== LEVEL.one && write.answered < scan.begun,
  );
  // The latest acknowledged beginning: whatever ended before it was overwritten.
  const newest = settled.reduce((latest, { begun }) => Math.max(latest, begun), 0);
  const effective = writes.filter((write) => write.begun < scan.ended && endOf(write) >= newest);
  if (newest === 0 && effective.length > 0) return 'unclear';
  if (effective.every(({ value, ttlMs }) => value !== undefined && ttlMs === 0)) {
    return effective.length > 0 ? 'there' : 'away';
  }
  return effective.every(({ value }) => value === undefined) ? 'away' : 'unclear';
}

function endOf(write: WriteEvent): number {
  return write.outcome === 'unknown' || write.level === LEVEL.one ? Number.POSITIVE_INFINITY : write.answered;
}
