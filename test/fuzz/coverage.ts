import { type Profiler, Session } from 'node:inspector';

/** Which blocks of our own compiled code have run: an input that reaches a new one is worth changing further. */
export class Coverage {
  readonly #session: Session = new Session();
  readonly #seen: Set<string> = new Set();

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  get blocks(): number {
    return this.#seen.size;
  }

  /** Blocks that ran since the last call and never before. */
  fresh(): number {
    const before = this.#seen.size;
    this.#session.post(
      'Profiler.takePreciseCoverage',
      (error: Error | null, taken?: { result: Profiler.ScriptCoverage[] }) => {
        if (error !== null) throw error;
        for (const { url, functions } of taken?.result ?? []) {
          if (!/\/dist\/(src\/)?/.test(url) || url.includes('/node_modules/') || url.includes('/dist/test/')) continue;
          for (const { ranges } of functions) {
            for (const { startOffset, endOffset, count } of ranges) {
              if (count > 0) this.#seen.add(`${url}:${startOffset}-${endOffset}`);
            }
          }
        }
      },
    );
    return this.#seen.size - before;
  }

  close(): void {
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }
}
