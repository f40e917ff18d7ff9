import type { Model } from './explore.js';
import { Steps } from './steps.js';

/**
 * Who decides epochs (counterexample 15): R0 R1 R2 are the members of epoch 0; epoch 1 is pending and brings four joiners,
 * each of which may die for good at any time, as may one of the members. Epoch 2 is the abort, or the commit once the
 * joiners are complete, decided by a majority of the voters.
 */
export interface VoterRules {
  /** The members of the last committed epoch, or all that the pending one names. */
  readonly voters: 'committed' | 'all';
}

const MEMBERS = 3;
const JOINERS = 4;
const EVERYBODY: number = MEMBERS + JOINERS;
/** Per node: dead. */
const DEAD = 0;
/** Per joiner: complete. */
const COMPLETE: number = EVERYBODY;
/** Per node: voted for epoch 2. */
const VOTED: number = COMPLETE + JOINERS;
/** 0: epoch 1 is pending. 1 committed, 2 aborted. */
const SETTLED: number = VOTED + EVERYBODY;
/** What is being voted on: as `SETTLED`. */
const PROPOSED: number = SETTLED + 1;

export interface VotersModel extends Model {
  isSettled(state: number): boolean;
}

export function votersModel(rules: VoterRules): VotersModel {
  const sizes: number[] = new Array(PROPOSED + 1).fill(2);
  sizes[SETTLED] = 3;
  sizes[PROPOSED] = 3;
  const steps = new Steps(sizes);
  const voters = rules.voters === 'committed' ? MEMBERS : EVERYBODY;
  return {
    first: [steps.name(new Array(PROPOSED + 1).fill(0))],
    broken: () => undefined,
    isSettled: (state) => {
      steps.at(state);
      return steps.fields[SETTLED] !== 0;
    },
    next: (state, step) => {
      steps.at(state, step);
      const { fields } = steps;
      if (fields[SETTLED] !== 0) return;
      const deadMembers = fields.slice(DEAD, MEMBERS).reduce((sum, dead) => sum + dead, 0);
      for (let node = 0; node < EVERYBODY; node++) {
        const mayDie = node >= MEMBERS || deadMembers === 0;
        if (fields[DEAD + node] === 0 && mayDie) steps.set(DEAD + node, 1).take('R% dies', node);
      }
      let complete = 0;
      for (let joiner = 0; joiner < JOINERS; joiner++) {
        complete += fields[COMPLETE + joiner];
        const isAlive = fields[DEAD + MEMBERS + joiner] === 0;
        if (fields[COMPLETE + joiner] === 0 && isAlive) steps.set(COMPLETE + joiner, 1).take('a joiner is complete');
      }
      if (fields[PROPOSED] === 0) {
        if (complete === JOINERS) steps.set(PROPOSED, 1).take('commit is proposed');
        steps.set(PROPOSED, 2).take('abort is proposed');
        return;
      }
      let votes = 0;
      for (let voter = 0; voter < voters; voter++) {
        votes += fields[VOTED + voter];
        const votesNow = fields[DEAD + voter] === 0 && fields[VOTED + voter] === 0;
        if (votesNow) steps.set(VOTED + voter, 1).take('R% votes', voter);
      }
      if (votes * 2 > voters) steps.set(SETTLED, fields[PROPOSED]).take('epoch 2 is decided');
    },
  };
}
