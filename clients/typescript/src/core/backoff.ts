import type { Random } from './ports.js';

/**
 * Milliseconds before the next attempt: doubling from `firstMs` up to `maxMs`, half of it drawn at random so that
 * clients that were refused together do not come back together.
 */
export function backoffMs(failures: number, firstMs: number, maxMs: number, random: Random): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(failures, 16));
  return full / 2 + (full / 2) * (random.uint32() / 4294967296);
}
