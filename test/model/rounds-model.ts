import type { Model, OnStep } from './explore.js';
import { isMajority } from './layout.js';
import { holdsEnough, NEW, NODES, OLD, STREAMS } from './moving-key.js';
import { Steps } from './steps.js';

/**
 * Two consensus rounds on one key while it moves from the acceptors R0 R1 R2 to R1 R2 R3 (mechanisms: Consensus on a
 * key; Epochs). Ballot b1 proposes v1; b2 is the higher one and proposes v2 unless a promise shows it v1. A proposer that
 * learns of another epoch while it prepares starts its quorum again; once it has sent a value it needs another ballot for
 * that, and so is another proposer.
 */
export interface RoundsRules {
  /** State that is streamed to a new owner is kept although it promised a higher ballot. */
  readonly isStreamedKept: boolean;
  /** It counts as a vote in a fast read. */
  readonly isStreamedVote: boolean;
  /** A fast read asks both groups while the change is pending. */
  readonly isFastReadJoint: boolean;
}

export const ROUNDS_RULES: RoundsRules = { isStreamedKept: true, isStreamedVote: false, isFastReadJoint: true };

const EPOCH = 0;
/** Promised b2. A promise of b1, the lowest, refuses nothing. */
const PROMISED = 4;
/** 0 nothing, 1 b1, 2 b2. */
const ACCEPTED = 8;
/** What is accepted here was streamed, and not voted for. */
const IS_STREAMED = 12;
const STREAMED = 16;
const DECIDED: number = STREAMED + STREAMS.length;
const EPOCH_1: number = DECIDED + 1;
const EPOCH_2: number = EPOCH_1 + 1;
const VOTES_1: number = EPOCH_2 + 1;
const PROMISES_2: number = VOTES_1 + 4;
/** A promise for b2 showed v1. */
const SAW_V1: number = PROMISES_2 + 4;
/** What b2 proposes: 0 not known yet, 1 v1, 2 v2. */
const VALUE_2: number = SAW_V1 + 1;
const VOTES_2: number = VALUE_2 + 1;
/** Somebody knows that b1, or b2, was chosen: its proposer, or a fast read. */
const CHOSEN_1: number = VOTES_2 + 4;
const CHOSEN_2: number = CHOSEN_1 + 1;

const BITS: readonly number[] = [2, 2, 2, 2];
const SIZES: readonly number[] = [
  ...[3, 3, 3, 3],
  ...BITS,
  ...[3, 3, 3, 3],
  ...BITS,
  ...STREAMS.map(() => 2),
  ...[2, 3, 3],
  ...BITS,
  ...BITS,
  ...[2, 3],
  ...BITS,
  ...[2, 2],
];
const OLD_BITS = 0b0111;
const NEW_BITS = 0b1110;
/** By epoch, as bits. */
const GROUPS: readonly (readonly number[])[] = [[OLD_BITS], [OLD_BITS, NEW_BITS], [NEW_BITS]];
const ACCEPTORS: readonly (readonly number[])[] = [OLD, NODES, NEW];

export function roundsModel(rules: RoundsRules): Model {
  const model = new RoundsModel(rules);
  return {
    first: [0, 1].map((epoch) => model.first(epoch)),
    broken: (state) => model.broken(state),
    next: (state, step) => model.next(state, step),
  };
}

class RoundsModel {
  readonly #rules: RoundsRules;
  readonly #steps: Steps = new Steps(SIZES);

  constructor(rules: RoundsRules) {
    this.#rules = rules;
  }

  /** b1 is proposed in this epoch. */
  first(epoch: number): number {
    const fields: number[] = new Array(SIZES.length).fill(0);
    fields[EPOCH_1] = epoch;
    return this.#steps.name(fields);
  }

  broken(state: number): string | undefined {
    this.#steps.at(state);
    const { fields } = this.#steps;
    const isLost = fields[CHOSEN_1] === 1 && fields[CHOSEN_2] === 1 && fields[VALUE_2] === 2;
    return isLost ? 'v1 was chosen, and v2 as well' : undefined;
  }

  next(state: number, step: OnStep): void {
    this.#steps.at(state, step);
    // b2 proposes v1: whatever comes is well.
    if (this.#steps.fields[VALUE_2] === 1) return;
    this.#learn();
    if (this.#steps.fields[DECIDED] === 0) this.#stream();
    if (this.#steps.fields[CHOSEN_1] === 0) this.#lowRound();
    if (this.#steps.fields[CHOSEN_2] === 0) this.#highRound();
    this.#fastRead();
  }

  #learn(): void {
    const { fields } = this.#steps;
    const newest = fields[DECIDED] === 1 ? 2 : 1;
    for (const node of NODES) {
      for (let epoch = fields[EPOCH + node] + 1; epoch <= newest; epoch++) {
        this.#steps.set(EPOCH + node, epoch).take('R% learns epoch %', node, epoch);
      }
    }
    if (fields[VALUE_2] !== 0) return;
    for (let epoch = fields[EPOCH_2] + 1; epoch <= newest; epoch++) {
      this.#steps.set(EPOCH_2, epoch).set(SAW_V1, 0).clear(PROMISES_2).take('b2 prepares in epoch %', epoch);
    }
  }

  #stream(): void {
    const steps = this.#steps;
    const { fields } = steps;
    for (const [index, [target, source]] of STREAMS.entries()) {
      if (fields[STREAMED + index] === 1 || fields[EPOCH + target] !== 1 || fields[EPOCH + source] !== 1) continue;
      const sent = fields[ACCEPTED + source];
      const isBelowPromise = fields[PROMISED + target] === 1 && sent === 1;
      steps.set(STREAMED + index, 1);
      if (sent > fields[ACCEPTED + target] && (this.#rules.isStreamedKept || !isBelowPromise)) {
        steps.set(ACCEPTED + target, sent).set(IS_STREAMED + target, this.#rules.isStreamedVote ? 0 : 1);
      }
      steps.take('R% streams to R%', source, target);
    }
    if (!holdsEnough(fields, STREAMED, 2)) return;
    for (const index of STREAMS.keys()) steps.set(STREAMED + index, 0);
    steps.set(DECIDED, 1).take('the change is committed');
  }

  /** b1 is the lowest ballot: its prepare would show it nothing, and is left out. */
  #lowRound(): void {
    const steps = this.#steps;
    const { fields } = steps;
    const epoch = fields[EPOCH_1];
    for (const node of ACCEPTORS[epoch]) {
      if (fields[EPOCH + node] !== epoch || fields[PROMISED + node] === 1 || fields[VOTES_1 + node] === 1) continue;
      if (fields[ACCEPTED + node] === 2) continue;
      steps
        .set(VOTES_1 + node, 1)
        .set(ACCEPTED + node, 1)
        .set(IS_STREAMED + node, 0)
        .take('R% accepts b1', node);
    }
    if (!isMajority(GROUPS[epoch], steps.bits(VOTES_1))) return;
    steps.clear(VOTES_1).set(CHOSEN_1, 1).take('b1 is chosen');
  }

  #highRound(): void {
    const steps = this.#steps;
    const { fields } = steps;
    const epoch = fields[EPOCH_2];
    const isPreparing = fields[VALUE_2] === 0;
    const answered = isPreparing ? PROMISES_2 : VOTES_2;
    for (const node of ACCEPTORS[epoch]) {
      if (fields[EPOCH + node] !== epoch || fields[answered + node] === 1) continue;
      steps.set(answered + node, 1).set(PROMISED + node, 1);
      if (isPreparing) {
        if (fields[ACCEPTED + node] === 1) steps.set(SAW_V1, 1);
        steps.take('R% promises b2', node);
      } else
        steps
          .set(ACCEPTED + node, 2)
          .set(IS_STREAMED + node, 0)
          .take('R% accepts b2', node);
    }
    if (!isMajority(GROUPS[epoch], steps.bits(answered))) return;
    steps.clear(answered);
    if (!isPreparing) steps.set(CHOSEN_2, 1).take('b2 is chosen');
    else if (fields[SAW_V1] === 1) steps.set(VALUE_2, 1).set(SAW_V1, 0).take('b2 proposes v1');
    else steps.set(VALUE_2, 2).take('b2 proposes v2');
  }

  /** A quorum that reports the same accepted ballot, all by vote: whoever reads takes it for chosen. */
  #fastRead(): void {
    const steps = this.#steps;
    const { fields } = steps;
    for (const epoch of [0, 1, 2]) {
      const groups = epoch === 1 && !this.#rules.isFastReadJoint ? [OLD_BITS] : GROUPS[epoch];
      const votes = steps.bits(EPOCH, epoch) & steps.bits(IS_STREAMED, 0);
      for (const ballot of [1, 2]) {
        const chosen = ballot === 1 ? CHOSEN_1 : CHOSEN_2;
        if (fields[chosen] === 1 || !isMajority(groups, votes & steps.bits(ACCEPTED, ballot))) continue;
        steps.set(chosen, 1).take('b% is shown to a fast read in epoch %', ballot, epoch);
      }
    }
  }
}
