import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

const NANOSECONDS = 1e9;
/** How often the event loop is looked at. */
const SAMPLE_MS = 10;
/** What was seen is shown for so long, whoever asks and however often. */
const WINDOW_MS = 1000;

/** How long the event loop keeps events waiting, watched by one sampler for everybody who asks. */
export class EventLoopDelay {
  readonly #sampler: IntervalHistogram = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  #sinceScrape = 0;
  #growing = 0;
  #shown = 0;
  #windowEndsMs = 0;

  constructor() {
    this.#sampler.enable();
  }

  /** The longest wait since this was last asked; for one scraper. */
  scrapeSeconds(): number {
    this.#fold();
    const seconds = this.#sinceScrape;
    this.#sinceScrape = 0;
    return seconds;
  }

  /** The longest wait of about the last second. */
  recentSeconds(): number {
    this.#fold();
    const nowMs = performance.now();
    if (nowMs >= this.#windowEndsMs) {
      this.#shown = this.#growing;
      this.#growing = 0;
      this.#windowEndsMs = nowMs + WINDOW_MS;
    }
    return Math.max(this.#shown, this.#growing);
  }

  #fold(): void {
    // The sampler reports the time between its ticks; 0 before it has ticked.
    const seconds = Math.max(0, this.#sampler.max / NANOSECONDS - SAMPLE_MS / 1000);
    this.#sampler.reset();
    this.#sinceScrape = Math.max(this.#sinceScrape, seconds);
    this.#growing = Math.max(this.#growing, seconds);
  }
}
