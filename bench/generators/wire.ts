import type { LoadConnection } from './load-connection.js';
import type { Operation, RequestPool } from './request-pool.js';

/** Reads replies out of the shared receive buffer. One per generator; it keeps no bytes between calls. */
export interface ReplyReader {
  /** Replies that were errors, or an absent value where one was expected. */
  errors: number;
  /** Spot-checked replies whose value was not the one that was stored. */
  mismatches: number;
  /**
   * Takes whole replies from `bytes[start, end)`, advances `connection.receiveCursor` by one for each (and calls
   * `connection.completed` where latency is wanted), and answers where the first incomplete one begins. Hot.
   */
  read(bytes: Buffer, view: DataView, start: number, end: number, connection: LoadConnection): number;
}

/** What a connection does before it can carry requests. */
export interface Opening {
  /** The first bytes to send, possibly none. */
  start(): Uint8Array | undefined;
  /** Takes what arrived; `send` goes out, `done` ends the opening. Throws when the peer refuses. */
  receive(bytes: Buffer): { readonly send: Uint8Array | undefined; readonly done: boolean };
}

/** How one kind of server is spoken to. */
export interface Wire {
  pool(operation: Operation, order: Uint32Array): RequestPool;
  reader(pool: RequestPool): ReplyReader;
  /** Undefined when requests may be sent at once. */
  opening(): Opening | undefined;
  /** Writes the changing parts (stream ids) into a copy; undefined when pooled bytes go out as they are. */
  readonly patch: ((bytes: Buffer, count: number, connection: LoadConnection) => void) | undefined;
}
