import { type Ballot, compareBallots, NO_BALLOT } from '@memdb/protocol';

/** A value that an acceptor took, and in which ballot. */
export interface Accepted<V> {
  readonly ballot: Ballot;
  readonly value: V;
}

/** What an acceptor of one decision knows (Lamport, "Paxos Made Simple", 2.2). Durable before any answer that rests on it. */
export interface AcceptorState<V> {
  /** No lower ballot is answered any more. */
  readonly promised: Ballot;
  readonly accepted: Accepted<V> | undefined;
}

/** Of an acceptor that nobody asked yet. */
export const FRESH_ACCEPTOR: AcceptorState<never> = { promised: NO_BALLOT, accepted: undefined };

/**
 * A proposer asks to be the highest. The state to make durable, then to answer with its `accepted`; undefined when a
 * higher ballot was promised, which is then the answer.
 */
export function prepare<V>(state: AcceptorState<V>, ballot: Ballot): AcceptorState<V> | undefined {
  if (compareBallots(ballot, state.promised) < 0) return undefined;
  return { promised: ballot, accepted: state.accepted };
}

/** A proposer asks to take a value. As `prepare`; a higher promise refuses it. */
export function accept<V>(state: AcceptorState<V>, ballot: Ballot, value: V): AcceptorState<V> | undefined {
  if (compareBallots(ballot, state.promised) < 0) return undefined;
  return { promised: ballot, accepted: { ballot, value } };
}
