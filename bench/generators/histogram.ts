/** Sub-buckets per power of two: an error of at most 1/32, the idea of HdrHistogram (Gil Tene). */
const SUB_BUCKETS = 32;
/** Values are kept in tenths of a microsecond: 31 bits reach 214 seconds. */
const UNITS_PER_MS = 10_000;
/** 64 exact values, then 32 buckets for each of the 25 powers of two from 2^6 up to 2^30. */
const BUCKETS = 2 * SUB_BUCKETS + 25 * SUB_BUCKETS;

export interface Percentiles {
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Latencies at constant relative precision. `record` is hot: it allocates nothing. */
export class Histogram {
  private readonly counts: Float64Array = new Float64Array(BUCKETS);
  private total = 0;
  private maxMs = 0;

  record(milliseconds: number): void {
    const value = Math.min(0x7fffffff, milliseconds * UNITS_PER_MS) | 0;
    if (value < 2 * SUB_BUCKETS) this.counts[value]++;
    else {
      const shift = 26 - Math.clz32(value);
      this.counts[2 * SUB_BUCKETS + (shift - 1) * SUB_BUCKETS + (value >> shift) - SUB_BUCKETS]++;
    }
    this.total++;
    if (milliseconds > this.maxMs) this.maxMs = milliseconds;
  }

  clear(): void {
    this.counts.fill(0);
    this.total = 0;
    this.maxMs = 0;
  }

  percentiles(): Percentiles {
    return {
      p50Ms: this.quantile(0.5),
      p90Ms: this.quantile(0.9),
      p99Ms: this.quantile(0.99),
      p999Ms: this.quantile(0.999),
      maxMs: this.maxMs,
    };
  }

  private quantile(fraction: number): number {
    let left = Math.ceil(this.total * fraction);
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.counts[bucket];
      if (left <= 0) return Math.min(this.maxMs, bucketTop(bucket) / UNITS_PER_MS);
    }
    return this.maxMs;
  }
}

/** The greatest value that falls into `bucket`. */
function bucketTop(bucket: number): number {
  if (bucket < 2 * SUB_BUCKETS) return bucket;
  const above = bucket - 2 * SUB_BUCKETS;
  const shift = Math.floor(above / SUB_BUCKETS) + 1;
  return ((above % SUB_BUCKETS) + SUB_BUCKETS + 1) * 2 ** shift - 1;
}
