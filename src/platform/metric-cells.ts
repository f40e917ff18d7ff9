import type { Counter, Histogram } from '../ports/telemetry.js';

/** A counter as its owner sees it: a field to add to. */
export class CounterCell implements Counter {
  value = 0;
}

/** Upper bounds of the histogram buckets in seconds: 10 microseconds to 10 seconds, three to a decade. */
export const HISTOGRAM_BOUNDS: readonly number[] = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
  5, 10,
];

/** Counts per bucket; the last one is for what lies above all bounds. */
export class HistogramCell implements Histogram {
  readonly counts: Float64Array = new Float64Array(HISTOGRAM_BOUNDS.length + 1);
  sumSeconds = 0;

  /** Hot: a search over 19 bounds and two additions. */
  observe(seconds: number): void {
    let low = 0;
    let high = HISTOGRAM_BOUNDS.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (seconds <= HISTOGRAM_BOUNDS[middle]) high = middle;
      else low = middle + 1;
    }
    this.counts[low]++;
    this.sumSeconds += seconds;
  }
}
