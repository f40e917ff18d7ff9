import { readCounter, writeCounter } from './frame.js';

/**
 * A stamp on the wire: u64 Lamport counter below 2^53, u16 node number, u16 zero. Counter 0 with node 0 means that
 * nothing was ever written. Order: the counter, then the node number (semantics: Versions).
 */
export const STAMP_BYTES = 12;

/** Writes a stamp. Hot. */
export function writeStamp(view: DataView, offset: number, counter: number, node: number): void {
  writeCounter(view, offset, counter);
  view.setUint32(offset + 8, node, true);
}
/** The counter of the stamp at `offset`. Hot. */
export function stampCounter(view: DataView, offset: number): number {
  return readCounter(view, offset);
}
/** The node number of the stamp at `offset`. Hot. */
export function stampNode(view: DataView, offset: number): number {
  return view.getUint16(offset + 8, true);
}

/** Negative when a is older than b, 0 when they are the same, positive when a is newer. Hot. */
export function compareStamps(counterA: number, nodeA: number, counterB: number, nodeB: number): number {
  return counterA !== counterB ? counterA - counterB : nodeA - nodeB;
}

/** A stamp as an object, for everything that is not hot. */
export interface WireStamp {
  readonly counter: number;
  readonly node: number;
}
