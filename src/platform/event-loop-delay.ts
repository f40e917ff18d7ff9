import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

const NANOSECONDS = 1e9;
/** How often the event loop is looked at. */
const SAMPLE_MS = 10;
/** The longest time back that is asked for. */
const KEPT_MS = 15_000;

interface Look {
  readonly atMs: number;
  /** The longest wait since the look before. */
  readonly seconds: number;
}

/** How long the event loop keeps events waiting: one sampler for everybody who asks, however often. */
export class EventLoopDelay {
  readonly #sampler: IntervalHistogram = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  readonly #looks: Look[] = [];

  constructor() {
    this.#sampler.enable();
  }

  /** The longest wait of the last `windowMs`, up to 15 s, or since it was last asked for if that is longer. */
  longestSeconds(windowMs: number): number {
    const nowMs = performance.now();
    // The sampler reports the time between its ticks; 0 before it has ticked.
    const sinceLast = Math.max(0, this.#sampler.max / NANOSECONDS - SAMPLE_MS / 1000);
    this.#sampler.reset();
    this.#looks.push({ atMs: nowMs, seconds: sinceLast });
    while ((this.#looks[0]?.atMs ?? nowMs) < nowMs - KEPT_MS) this.#looks.shift();
    let longest = sinceLast;
    for (const { atMs, seconds } of this.#looks) if (atMs > nowMs - windowMs) longest = Math.max(longest, seconds);
    return longest;
  }
}
