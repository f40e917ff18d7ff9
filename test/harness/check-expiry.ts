import type { BrokenPromises } from './broken-promise.js';
import { byKey, type History, valueText } from './history.js';

/** Clocks agree; what is left is the rounding of a deadline to a millisecond. */
const ROUNDING_MS = 2;

/**
 * An expired value does not come back: the deadline was fixed by the coordinator while the write ran, so a read that
 * began later than the latest such deadline does not return it (semantics: Deletes, expiry, eviction). Only for runs in
 * which no clock was moved. That a value is not away too early is what `checkRegular` finds.
 */
export function checkExpiry(history: History, broken: BrokenPromises): void {
  const expiring = byKey(history.writes.filter(({ ttlMs }) => ttlMs > 0));
  for (const { key, content, begunMs } of history.reads) {
    if (content.kind !== 'value' || content.value === '') continue;
    const write = expiring.get(key)?.find(({ value }) => value === content.value);
    // Not acknowledged, it may have been late on its way to the coordinator.
    if (write?.outcome !== 'acknowledged') continue;
    const latestMs = write.answeredMs + write.ttlMs + ROUNDING_MS;
    if (begunMs > latestMs) {
      broken.add(`${valueText(content.value)} was read at ${begunMs} although it expired by ${latestMs}`, key);
    }
  }
}
