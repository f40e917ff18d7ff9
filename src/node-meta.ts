import { readCounter, writeCounter } from '@memdb/protocol';
import { decodeSightings, encodeSightings, type Sighting } from './membership/heartbeat.js';
import type { Store } from './storage/store.js';

const LEASE = 'clock-lease';
const MOVES = 'sighting/';

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

/** Where members were last seen, by number: they may have moved since the epoch was made. */
export function loadMoves(store: Store): Map<number, Sighting> {
  const moves = new Map<number, Sighting>();
  for (const name of store.metaNames()) {
    const value = name.startsWith(MOVES) ? store.meta(name) : undefined;
    if (value === undefined) continue;
    for (const sighting of decodeSightings(value, viewOf(value), 0, value.length)) moves.set(sighting.number, sighting);
  }
  return moves;
}

export function saveMove(store: Store, sighting: Sighting): void {
  store.putMeta(`${MOVES}${sighting.number}`, encodeSightings([sighting]));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
