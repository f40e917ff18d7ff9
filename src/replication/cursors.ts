import { readCounter, writeCounter } from '@memdb/protocol';
import type { Store } from '../storage/store.js';
import type { PeerStream } from './peer-stream.js';

/** How often cursors that moved are written to the log. Lost progress only repeats idempotent records. */
export const CURSOR_SAVE_INTERVAL_MS = 1000;

const PREFIX = 'cursor/';

/** The durable side of the streams: for each peer the LSN up to which it has acknowledged everything. */
export class Cursors {
  readonly #store: Store;
  readonly #saved = new Map<number, number>();

  constructor(store: Store) {
    this.#store = store;
    for (const name of store.metaNames()) {
      const value = name.startsWith(PREFIX) ? store.meta(name) : undefined;
      if (value === undefined) continue;
      const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
      this.#saved.set(Number(name.slice(PREFIX.length)), readCounter(view, 0));
    }
  }

  /** The cursor that an earlier run left for a peer; 0 for one that was never streamed to. */
  of(peer: number): number {
    return this.#saved.get(peer) ?? 0;
  }

  /** A node becomes a member where the log ends at `lsn`: nothing that stands there was coordinated for it. */
  begin(peer: number, lsn: number): void {
    if (!this.#saved.has(peer)) this.#put(peer, lsn);
  }

  /**
   * Writes cursors that moved. Never beyond what is synced here: after a crash the LSNs above are given to other
   * records, which the peer does not have.
   */
  save(streams: readonly (PeerStream | undefined)[]): void {
    for (const [peer, stream] of streams.entries()) {
      if (stream === undefined) continue;
      const cursor = Math.min(stream.cursor, this.#store.syncedLsn);
      // The record of a cursor moves the log by one: only real progress is worth another.
      if (cursor <= this.of(peer) + this.#saved.size + 1) continue;
      this.#put(peer, cursor);
    }
  }

  #put(peer: number, cursor: number): void {
    const value = new Uint8Array(8);
    writeCounter(new DataView(value.buffer), 0, cursor);
    this.#saved.set(peer, cursor);
    this.#store.putMeta(`${PREFIX}${peer}`, value);
  }
}
