import { type Ballot, compareBallots, NO_BALLOT, SerialContent, type SerialState } from '@memdb/protocol';
import { RecordKind } from './record.js';
import { compareVersions } from './version-order.js';

/**
 * What an acceptor of one key does with what it is asked (mechanisms: Consensus on a key; Lamport, "Paxos Made Simple",
 * 2.2). Pure: each function returns the state to make durable before it is answered, or undefined where nothing changes.
 */

/** A proposer asks to be the highest; undefined: a higher ballot was promised, which is the answer. */
export function promise(state: SerialState, ballot: Ballot): SerialState | undefined {
  if (compareBallots(ballot, state.promised) < 0) return undefined;
  return { ...state, promised: ballot };
}

/**
 * Accept: `proposal.accepted` is the ballot, `proposal.promised` the one that its proposer means to use next, and that is
 * promised with it. Undefined: a higher ballot was promised, or this very proposal was accepted already (`hasAccepted`).
 */
export function accept(state: SerialState, proposal: SerialState): SerialState | undefined {
  if (compareBallots(proposal.accepted, state.promised) < 0) return undefined;
  return { ...proposal, isVote: true };
}

/** Whether it accepted a proposal of this ballot, by vote. */
export function hasAccepted(state: SerialState, ballot: Ballot): boolean {
  return state.isVote && ballot.counter !== 0 && compareBallots(state.accepted, ballot) === 0;
}

/**
 * A copy of another acceptor's state, by repair or audit: it is that acceptor's Accept, relayed, and obeys the promise check
 * (×: a copy below the promise would put an older value on a majority). What the other promised is its own affair.
 */
export function relay(state: SerialState, copy: SerialState): SerialState | undefined {
  if (copy.accepted.counter === 0 || compareBallots(copy.accepted, state.promised) < 0) return undefined;
  if (hasAccepted(state, copy.accepted)) return undefined;
  return { ...copy, isVote: true, promised: copy.accepted };
}

/**
 * A copy that is streamed to an owner which is joining: kept even below its promise, since it may be what a majority of the
 * old owners decided (×), but then it is no vote (×), until a real Accept comes.
 */
export function stream(state: SerialState, copy: SerialState): SerialState | undefined {
  if (copy.accepted.counter === 0) return undefined;
  if (compareBallots(copy.accepted, state.accepted) <= 0) return undefined;
  const isBelow = compareBallots(copy.accepted, state.promised) < 0;
  // To be a vote it would have to have been accepted here: what this node answered so far did not speak of it.
  return { ...copy, isVote: false, promised: isBelow ? state.promised : copy.accepted };
}

/** A plain version that is streamed to a joining owner which has promised and accepted nothing: the newer one stays. */
export function streamPlain(state: SerialState, plain: SerialState): SerialState | undefined {
  if (state.accepted.counter !== 0 || plain.content === SerialContent.never) return undefined;
  const order = compareVersions(
    plain.stamp.counter,
    plain.stamp.node,
    kindOfContent(plain.content),
    state.stamp.counter,
    state.stamp.node,
    kindOfContent(state.content),
  );
  if (state.content !== SerialContent.never && order <= 0) return undefined;
  return { ...plain, promised: state.promised, accepted: NO_BALLOT, isVote: false };
}

/** As which kind of plain record a content stands in the log; absence without a record counts as a deletion. */
export function kindOfContent(content: number): number {
  return content === SerialContent.value ? RecordKind.value : RecordKind.tombstone;
}
