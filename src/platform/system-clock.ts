import { performance } from 'node:perf_hooks';
import type { Clock } from '../ports/clock.js';

/** The machine's clocks. */
export class SystemClock implements Clock {
  monotonicMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }
}
