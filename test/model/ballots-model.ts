import type { Ballot } from '@memdb/protocol';
import { type AcceptorState, accept, FRESH_ACCEPTOR, prepare } from '../../src/consensus/acceptor.js';
import type { QuorumGroups } from '../../src/consensus/quorum.js';
import { beginRound, onAccepted, onPromise, onRefused, propose, type Round } from '../../src/consensus/round.js';
import type { Model, OnStep } from './explore.js';

/**
 * The decision of one epoch, by the code that makes it: three voters, a proposer that crashes and begins again with
 * another value, and a second one. Messages come late, in any order, or never; voters crash.
 */
export interface BallotRules {
  /** A voter answers once what it says is durable. */
  readonly isDurable: boolean;
  /** The restart count is part of a ballot: the proposer that crashed does not use one twice. */
  readonly isRestartCounted: boolean;
  /** A proposer takes the highest accepted value that it is shown. */
  readonly isHighestTaken: boolean;
  /** Answers may be lost on their way: without, there are far fewer states. */
  readonly areAnswersLost: boolean;
}

export const BALLOT_RULES: BallotRules = {
  isDurable: true,
  isRestartCounted: true,
  isHighestTaken: true,
  areAnswersLost: true,
};

const VOTERS = [1, 2, 3] as const;
const GROUPS: QuorumGroups = [VOTERS];
/** Of node 1, of node 1 after a crash, and of node 2. */
const WANTED = ['a', 'b', 'c'] as const;

interface State {
  /** What a voter answers by, and what it finds after a crash. */
  readonly voters: readonly { readonly now: AcceptorState<string>; readonly kept: AcceptorState<string> }[];
  /** Undefined before it begins; node 1 has crashed when its second one is there. */
  readonly rounds: readonly (Round<string> | undefined)[];
  /** Values sent with accept, by proposer. */
  readonly sent: readonly (string | undefined)[];
  readonly decided: readonly string[];
}

export function ballotsModel(rules: BallotRules): Model {
  const names = new Map<string, number>();
  const states: State[] = [];
  const nameOf = (state: State): number => {
    const text = textOf(state);
    const known = names.get(text);
    if (known !== undefined) return known;
    names.set(text, states.length);
    states.push(state);
    return states.length - 1;
  };
  const voter = { now: FRESH_ACCEPTOR, kept: FRESH_ACCEPTOR };
  const first: State = {
    voters: VOTERS.map(() => voter),
    rounds: WANTED.map(() => undefined),
    sent: WANTED.map(() => undefined),
    decided: [],
  };
  return {
    first: [nameOf(first)],
    broken: (name) => {
      const { decided } = states[name];
      return decided.length > 1 ? `the values ${decided.join(' and ')} were decided` : undefined;
    },
    next: (name, step) => next(rules, states[name], (state, what, one, two) => step(nameOf(state), what, one, two)),
  };
}

/** Equal for states that go on alike: in which order answers came makes no difference, nor what a crashed proposer knew. */
function textOf({ voters, rounds, sent, decided }: State): string {
  const isCrashed = rounds[1] !== undefined;
  const roundTexts = rounds.map((round, proposer) => (proposer === 0 && isCrashed ? 'crashed' : roundText(round)));
  const voterTexts = voters.map(({ now, kept }) => `${acceptorText(now)}/${now === kept ? '' : acceptorText(kept)}`);
  return `${voterTexts} ${roundTexts} ${sent} ${decided}`;
}

function acceptorText({ promised, accepted }: AcceptorState<string>): string {
  return `${promised.node}.${promised.generation}${accepted ? `:${accepted.ballot.node}.${accepted.ballot.generation}${accepted.value}` : ''}`;
}

function roundText(round: Round<string> | undefined): string {
  switch (round?.kind) {
    case 'preparing':
      return `p${[...round.promises].sort().join('')}${round.highest?.ballot.node}${round.highest?.value}`;
    case 'prepared':
      return `P${round.highest?.value}`;
    case 'accepting':
      return `a${[...round.acceptances].sort().join('')}`;
    default:
      return round?.kind ?? '';
  }
}

type To = (state: State, ...what: Parameters<OnStep> extends [number, ...infer Rest] ? Rest : never) => void;

function ballotOf(rules: BallotRules, proposer: number): Ballot {
  const generation = proposer === 1 && rules.isRestartCounted ? 2 : 1;
  return { counter: 1, node: proposer === 2 ? 2 : 1, generation };
}

function next(rules: BallotRules, state: State, to: To): void {
  for (const proposer of WANTED.keys()) {
    const round = state.rounds[proposer];
    if (round === undefined) {
      if (proposer === 1 && state.rounds[0] === undefined) continue;
      to(withRound(state, proposer, beginRound(ballotOf(rules, proposer), GROUPS)), 'proposer % begins', proposer);
    } else if (round.kind === 'prepared') {
      const wanted = WANTED[proposer];
      const value = rules.isHighestTaken ? (round.highest?.value ?? wanted) : wanted;
      const sent = state.sent.with(proposer, value);
      to({ ...withRound(state, proposer, propose(round, value)), sent }, 'proposer % proposes', proposer);
    }
    if (round !== undefined) deliver(rules, state, proposer, round, to);
  }
  for (const [at, { now, kept }] of state.voters.entries()) {
    if (now === kept) continue;
    to(withVoter(state, at, now, now), 'voter % syncs', at + 1);
    to(withVoter(state, at, kept, kept), 'voter % crashes', at + 1);
  }
}

/** What a proposer sent comes to a voter; the answer reaches it, if it still lives, or is lost. */
function deliver(rules: BallotRules, state: State, proposer: number, round: Round<string>, to: To): void {
  const { ballot } = round;
  const lives = proposer !== 0 || state.rounds[1] === undefined;
  for (const [at, { now, kept }] of state.voters.entries()) {
    const voter = at + 1;
    const promised = prepare(now, ballot);
    if (promised !== undefined) {
      const after = withVoter(state, at, promised, rules.isDurable ? promised : kept);
      if (lives)
        to(
          withRound(after, proposer, onPromise(round, ballot, voter, now.accepted)),
          'voter % promises %',
          voter,
          proposer,
        );
      if (rules.areAnswersLost) to(after, 'the promise of voter % to % is lost', voter, proposer);
    } else if (lives) {
      to(withRound(state, proposer, onRefused(round, ballot, now.promised)), 'voter % refuses %', voter, proposer);
    }
    const value = state.sent[proposer];
    const accepted = value === undefined ? undefined : accept(now, ballot, value);
    if (accepted === undefined) continue;
    const after = withVoter(state, at, accepted, rules.isDurable ? accepted : kept);
    if (lives)
      to(withRound(after, proposer, onAccepted(round, ballot, voter)), 'voter % accepts of %', voter, proposer);
    if (rules.areAnswersLost) to(after, 'the acceptance of voter % for % is lost', voter, proposer);
  }
}

function withVoter(state: State, at: number, now: AcceptorState<string>, kept: AcceptorState<string>): State {
  return { ...state, voters: state.voters.with(at, { now, kept }) };
}

function withRound(state: State, proposer: number, round: Round<string>): State {
  const isNew = round.kind === 'decided' && !state.decided.includes(round.value);
  const decided = isNew ? [...state.decided, round.value].sort() : state.decided;
  return { ...state, rounds: state.rounds.with(proposer, round), decided };
}
