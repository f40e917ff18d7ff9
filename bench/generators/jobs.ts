import type { Percentiles } from './histogram.js';
import type { Operation } from './request-pool.js';

/** Credentials of a MemDB client connection; undefined against the stub, which asks for none. */
export interface Credentials {
  readonly keyId: string;
  /** 32 bytes, base64url. */
  readonly secret: string;
}

/** What the harness asks of a generator process, one at a time. */
export type Job =
  | { readonly kind: 'connect'; readonly ports: readonly number[]; readonly connections: number }
  /** Stores key numbers `first` to `first + count` once each. */
  | { readonly kind: 'fill'; readonly first: number; readonly count: number; readonly depth: number }
  /** Encodes requests for uniformly random keys. */
  | { readonly kind: 'prepare'; readonly operation: Operation; readonly keyCount: number; readonly seed: number }
  /** Closed loop: each connection keeps `depth` requests outstanding. */
  | {
      readonly kind: 'closed';
      readonly depth: number;
      readonly seconds: number;
      readonly serverPids: readonly number[];
    }
  /** Open loop: `rate` requests a second in all, whatever the server does. */
  | { readonly kind: 'open'; readonly rate: number; readonly seconds: number; readonly serverPids: readonly number[] }
  /** Lists all `keyCount` keys, over and over. */
  | {
      readonly kind: 'scan';
      readonly keyCount: number;
      readonly seconds: number;
      readonly serverPids: readonly number[];
    }
  | { readonly kind: 'disconnect' };

/** What one measured run showed. */
export interface RunResult {
  readonly operations: number;
  readonly seconds: number;
  readonly errors: number;
  readonly mismatches: number;
  readonly serverCpuNs: number;
  readonly generatorCpuNs: number;
  /** Open loop, and closed loop at depth 1. */
  readonly latency: Percentiles | undefined;
}

export type Answer =
  | { readonly kind: 'done'; readonly result: RunResult | undefined }
  | { readonly kind: 'failed'; readonly message: string };
