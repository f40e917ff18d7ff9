import { type Ballot, compareBallots } from '@memdb/protocol';
import type { Accepted } from './acceptor.js';
import { isQuorum, type QuorumGroups } from './quorum.js';

/**
 * One proposer's attempt at one decision, in one ballot (Lamport, "Paxos Made Simple", 2.2): prepare, then accept.
 * Values of this type are not changed; the functions below return the next one.
 */
export type Round<V> =
  | {
      readonly kind: 'preparing';
      readonly ballot: Ballot;
      readonly groups: QuorumGroups;
      readonly promises: readonly number[];
      /** The accepted value with the highest ballot that a promise reported. */
      readonly highest: Accepted<V> | undefined;
    }
  /** A quorum promised: the proposer chooses its value now, and calls `propose`. */
  | {
      readonly kind: 'prepared';
      readonly ballot: Ballot;
      readonly groups: QuorumGroups;
      readonly highest: Accepted<V> | undefined;
    }
  | {
      readonly kind: 'accepting';
      readonly ballot: Ballot;
      readonly groups: QuorumGroups;
      readonly value: V;
      readonly acceptances: readonly number[];
    }
  | { readonly kind: 'decided'; readonly ballot: Ballot; readonly value: V }
  /** Somebody promised a higher ballot: this one is given up. */
  | { readonly kind: 'outbid'; readonly ballot: Ballot; readonly by: Ballot };

/** Begins a round: `ballot` was never used before. Every member of the groups is to be sent prepare. */
export function beginRound<V>(ballot: Ballot, groups: QuorumGroups): Round<V> {
  return { kind: 'preparing', ballot, groups, promises: [], highest: undefined };
}

/** An acceptor promised `ballot`, and had accepted that before. Answers to another ballot change nothing. */
export function onPromise<V>(
  round: Round<V>,
  ballot: Ballot,
  acceptor: number,
  accepted: Accepted<V> | undefined,
): Round<V> {
  if (round.kind !== 'preparing' || compareBallots(ballot, round.ballot) !== 0) return round;
  if (round.promises.includes(acceptor)) return round;
  const promises = [...round.promises, acceptor];
  const highest = higher(round.highest, accepted);
  const { groups } = round;
  if (isQuorum(groups, promises)) return { kind: 'prepared', ballot: round.ballot, groups, highest };
  return { ...round, promises, highest };
}

/**
 * The proposer's value: whatever it wants when nothing was accepted before, otherwise what follows from the highest
 * accepted value (for an epoch that value itself). Every member of the groups is to be sent accept.
 */
export function propose<V>(round: Round<V>, value: V): Round<V> {
  if (round.kind !== 'prepared') throw new Error(`a value was proposed in a round that is ${round.kind}`);
  return { kind: 'accepting', ballot: round.ballot, groups: round.groups, value, acceptances: [] };
}

/** An acceptor took the value in `ballot`, durably. */
export function onAccepted<V>(round: Round<V>, ballot: Ballot, acceptor: number): Round<V> {
  if (round.kind !== 'accepting' || compareBallots(ballot, round.ballot) !== 0) return round;
  if (round.acceptances.includes(acceptor)) return round;
  const acceptances = [...round.acceptances, acceptor];
  if (!isQuorum(round.groups, acceptances)) return { ...round, acceptances };
  return { kind: 'decided', ballot: round.ballot, value: round.value };
}

/** An acceptor refused `ballot`, since it promised a higher one. */
export function onRefused<V>(round: Round<V>, ballot: Ballot, by: Ballot): Round<V> {
  if (round.kind === 'decided' || compareBallots(ballot, round.ballot) !== 0) return round;
  if (compareBallots(by, round.ballot) <= 0) return round;
  return { kind: 'outbid', ballot: round.ballot, by };
}

function higher<V>(one: Accepted<V> | undefined, other: Accepted<V> | undefined): Accepted<V> | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return compareBallots(other.ballot, one.ballot) > 0 ? other : one;
}
