import { readCounter, writeCounter } from '@memdb/protocol';
import type { Store } from './storage/store.js';

const LEASE = 'clock-lease';

/** The durable mark below which stamps may have been used; 0 in a new directory. */
export function leaseMark(store: Store): number {
  const value = store.meta(LEASE);
  return value === undefined ? 0 : readCounter(viewOf(value), 0);
}

/** Writes the mark; it holds once synced. */
export function saveMark(store: Store, mark: number): void {
  const value = new Uint8Array(8);
  writeCounter(viewOf(value), 0, mark);
  store.putMeta(LEASE, value);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
