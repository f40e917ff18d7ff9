import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';

/** Time, timers and chance, as the manager sees them; tests pass their own. */
export interface World {
  /** Unix milliseconds. */
  wallMs(): number;
  /** Never goes back. */
  monotonicMs(): number;
  /** Calls `callback` once; returns what stops it. */
  after(delayMs: number, callback: () => void): () => void;
  /** 16 hexadecimal digits that nobody can guess. */
  nonce(): string;
}

export function realWorld(): World {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    after: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    nonce: () => randomBytes(8).toString('hex'),
  };
}
