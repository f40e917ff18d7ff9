import { readCounter, writeCounter } from './frame.js';

/**
 * A ballot on the wire (PROTOCOL.md, "Ballots"): u64 counter below 2^53, u16 node number, u16 zero, u32 restart count
 * of the node's data directory. Order: the counter, then the node number, then the restart count. Counter 0 stands for
 * no ballot at all.
 */
export const BALLOT_BYTES = 16;

/** Names one attempt of one proposer. Never used twice: a proposer's counter grows, and a restart has a count of its own. */
export interface Ballot {
  readonly counter: number;
  readonly node: number;
  readonly generation: number;
}

/** Below every ballot. */
export const NO_BALLOT: Ballot = { counter: 0, node: 0, generation: 0 };

/** Negative when a is the lower ballot, 0 when they are the same, positive when a is the higher one. */
export function compareBallots(a: Ballot, b: Ballot): number {
  return a.counter - b.counter || a.node - b.node || a.generation - b.generation;
}

export function writeBallot(view: DataView, offset: number, ballot: Ballot): void {
  writeCounter(view, offset, ballot.counter);
  view.setUint32(offset + 8, ballot.node, true);
  view.setUint32(offset + 12, ballot.generation, true);
}

/** Reads what `writeBallot` wrote; whoever reads a frame checks the bounds and the counter before (`BodyReader.ballot`). */
export function readBallot(view: DataView, offset: number): Ballot {
  return {
    counter: readCounter(view, offset),
    node: view.getUint16(offset + 8, true),
    generation: view.getUint32(offset + 12, true),
  };
}
