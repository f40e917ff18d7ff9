import type { Segment } from './segment.js';

/** Walks the log in LSN order, up to what is appended at the moment; can be continued when more was. */
export interface LogCursor {
  /** Moves to the next record; false at the end for now. Batch headers are passed over. */
  next(): boolean;
  readonly segment: Segment;
  readonly offset: number;
  /** Record bytes with padding. */
  readonly bytes: number;
  readonly lsn: number;
  readonly kind: number;
  readonly counter: number;
  readonly node: number;
  readonly keyStart: number;
  readonly keyLength: number;
}
