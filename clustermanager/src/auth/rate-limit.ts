/** Allows `burst` events at once, and one more for each `refillMs` that passes. */
class Bucket {
  #tokens: number;
  #atMs: number;

  constructor(burst: number, nowMs: number) {
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  refill(burst: number, refillMs: number, nowMs: number): number {
    this.#tokens = Math.min(burst, this.#tokens + (nowMs - this.#atMs) / refillMs);
    this.#atMs = nowMs;
    return this.#tokens;
  }

  take(): void {
    this.#tokens = Math.max(0, this.#tokens - 1);
  }
}

export interface RateLimitOptions {
  readonly burst: number;
  readonly refillMs: number;
  /** Sources remembered; beyond, the one that was longest quiet is forgotten. */
  readonly sourcesMax: number;
}

/** Counts failures per source. Success costs nothing. */
export class RateLimit {
  readonly #options: RateLimitOptions;
  /** In the order in which they were last heard of. */
  readonly #buckets: Map<string, Bucket> = new Map();

  constructor(options: RateLimitOptions) {
    this.#options = options;
  }

  /** Milliseconds until this source may try again; 0: now. `nowMs` is monotonic. */
  waitMs(source: string, nowMs: number): number {
    const { burst, refillMs } = this.#options;
    const tokens = this.#buckets.get(source)?.refill(burst, refillMs, nowMs) ?? burst;
    return tokens >= 1 ? 0 : Math.ceil((1 - tokens) * refillMs);
  }

  fail(source: string, nowMs: number): void {
    const { burst, refillMs, sourcesMax } = this.#options;
    const bucket = this.#buckets.get(source) ?? new Bucket(burst, nowMs);
    bucket.refill(burst, refillMs, nowMs);
    bucket.take();
    this.#buckets.delete(source);
    this.#buckets.set(source, bucket);
    if (this.#buckets.size <= sourcesMax) return;
    const [oldest = ''] = this.#buckets.keys();
    this.#buckets.delete(oldest);
  }
}
