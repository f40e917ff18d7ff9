import type { Model, OnStep } from './explore.js';
import { isMajority } from './layout.js';
import { holdsEnough, NEW, NODES, OLD, STREAMS } from './moving-key.js';
import { Steps } from './steps.js';

/**
 * A plain write and the read that follows it, while a key moves from the owners R0 R1 R2 to R1 R2 R3 (mechanisms:
 * Epochs). Epoch 0 is the one before, 1 is pending, 2 is committed, or the change is aborted and it names the old owners
 * again. Each node learns an epoch when it likes. The write may begin in any epoch, at any node that may coordinate then;
 * so may the read, once the write was acknowledged.
 *
 * A write-back is a write with a stamp that exists already, and a read that came first is a reason for one: what holds
 * here for the write holds for "reads never go back".
 */
export interface PlainRules {
  /** Quorums while the change is pending. */
  readonly pendingRead: 'both' | 'old' | 'new';
  readonly pendingWrite: 'both' | 'old' | 'new';
  /** A node answers requests of its very epoch only, and answers of another epoch are not counted. */
  readonly isFenced: boolean;
  /** How many old owners each new owner must hold the state of, itself included where it is one. */
  readonly sources: number;
  /** A source logs the pending epoch before its stream begins. */
  readonly isSourceLogged: boolean;
}

export const PLAIN_RULES: PlainRules = {
  pendingRead: 'both',
  pendingWrite: 'both',
  isFenced: true,
  sources: 2,
  isSourceLogged: true,
};

const EPOCH = 0;
const STORED = 4;
const STREAMED = 8;
/** Of epoch 2: 0 nothing yet, 1 the new owners, 2 the old ones again. */
const DECIDED: number = STREAMED + STREAMS.length;
const WRITER: number = DECIDED + 1;
/** The epoch in which the write began; 3: it did not yet. */
const BEGUN: number = WRITER + 1;
/** Answered the writer. */
const COUNTED: number = BEGUN + 1;
const ACKNOWLEDGED: number = COUNTED + 4;
/** 4: nobody reads yet. */
const READER: number = ACKNOWLEDGED + 1;
/** Answered the reader, without the write. */
const ANSWERED_OLD: number = READER + 1;
const SIZES: readonly number[] = [
  3,
  3,
  3,
  3,
  2,
  2,
  2,
  2,
  ...STREAMS.map(() => 2),
  3,
  4,
  4,
  2,
  2,
  2,
  2,
  2,
  5,
  2,
  2,
  2,
  2,
];

export function plainModel(rules: PlainRules): Model {
  const model = new PlainModel(rules);
  return {
    first: NODES.map((writer) => model.first(writer)),
    broken: (state) => model.broken(state),
    next: (state, step) => model.next(state, step),
  };
}

class PlainModel {
  readonly #rules: PlainRules;
  readonly #steps: Steps = new Steps(SIZES);

  constructor(rules: PlainRules) {
    this.#rules = rules;
  }

  first(writer: number): number {
    const fields: number[] = new Array(SIZES.length).fill(0);
    fields[WRITER] = writer;
    fields[BEGUN] = 3;
    fields[READER] = 4;
    return this.#steps.name(fields);
  }

  broken(state: number): string | undefined {
    const steps = this.#steps;
    steps.at(state);
    const reader = steps.fields[READER];
    if (reader === 4) return undefined;
    const groups = this.#groups(steps.fields[EPOCH + reader], this.#rules.pendingRead);
    if (!isMajority(groups, steps.bits(ANSWERED_OLD))) return undefined;
    return 'a read misses the write that was acknowledged before it began';
  }

  next(state: number, step: OnStep): void {
    this.#steps.at(state, step);
    this.#learn();
    if (this.#steps.fields[DECIDED] === 0) this.#stream();
    if (this.#steps.fields[ACKNOWLEDGED] === 0) this.#write();
    else this.#read();
  }

  #learn(): void {
    const { fields } = this.#steps;
    const newest = fields[DECIDED] === 0 ? 1 : 2;
    for (const node of NODES) {
      for (let epoch = fields[EPOCH + node] + 1; epoch <= newest; epoch++) {
        const steps = this.#steps.set(EPOCH + node, epoch);
        // Whoever learns an epoch starts its quorums again.
        if (node === fields[WRITER] && this.#rules.isFenced) steps.clear(COUNTED);
        if (node === fields[READER] && this.#rules.isFenced) steps.clear(ANSWERED_OLD);
        steps.take('R% learns epoch %', node, epoch);
      }
    }
  }

  #stream(): void {
    const steps = this.#steps;
    const { fields } = steps;
    for (const [index, [target, source]] of STREAMS.entries()) {
      if (fields[STREAMED + index] === 1 || fields[EPOCH + target] !== 1) continue;
      if (this.#rules.isSourceLogged && fields[EPOCH + source] !== 1) continue;
      const stored = Math.max(fields[STORED + target], fields[STORED + source]);
      steps
        .set(STREAMED + index, 1)
        .set(STORED + target, stored)
        .take('R% streams to R%', source, target);
    }
    if (holdsEnough(fields, STREAMED, this.#rules.sources)) this.#decide(1, 'the change is committed');
    this.#decide(2, 'the change is aborted');
  }

  #decide(owners: number, what: string): void {
    // Which streams there were no longer matters.
    for (const index of STREAMS.keys()) this.#steps.set(STREAMED + index, 0);
    this.#steps.set(DECIDED, owners).take(what);
  }

  #write(): void {
    const steps = this.#steps;
    const { fields } = steps;
    const writer = fields[WRITER];
    const epoch = fields[EPOCH + writer];
    const begun = fields[BEGUN];
    if (begun === 3) {
      if (this.#mayCoordinate(writer)) steps.set(BEGUN, epoch).take('R% begins to write', writer);
      return;
    }
    const { isFenced } = this.#rules;
    for (const node of NODES) {
      const own = fields[EPOCH + node];
      // What was sent in an epoch may arrive at any later time: the receiver goes by what the request says.
      const isTaken = !isFenced || (own >= begun && own <= epoch && this.#owners(own).includes(node));
      const counts = !isFenced || own === epoch;
      const isHeld = fields[STORED + node] === 1;
      if (!isTaken || (isHeld && (!counts || fields[COUNTED + node] === 1))) continue;
      steps.set(STORED + node, 1);
      if (counts) steps.set(COUNTED + node, 1);
      steps.take('R% stores the write', node);
    }
    if (!isMajority(this.#groups(epoch, this.#rules.pendingWrite), steps.bits(COUNTED))) return;
    steps.set(ACKNOWLEDGED, 1).set(WRITER, 0).set(BEGUN, 0).clear(COUNTED).take('R% acknowledges', writer);
  }

  #read(): void {
    const steps = this.#steps;
    const { fields } = steps;
    const reader = fields[READER];
    if (reader === 4) {
      for (const node of NODES) {
        if (this.#mayCoordinate(node)) steps.set(READER, node).take('R% begins to read', node);
      }
      return;
    }
    const epoch = fields[EPOCH + reader];
    for (const node of this.#owners(epoch)) {
      // Who has the write makes the read return it: nothing can be broken any more.
      if (fields[STORED + node] === 1 || fields[ANSWERED_OLD + node] === 1) continue;
      if (this.#rules.isFenced && fields[EPOCH + node] !== epoch) continue;
      steps.set(ANSWERED_OLD + node, 1).take('R% answers without the write', node);
    }
  }

  /** A new owner that is not complete coordinates nothing. */
  #mayCoordinate(node: number): boolean {
    const epoch = this.#steps.fields[EPOCH + node];
    return epoch === 2 ? this.#owners(2).includes(node) : OLD.includes(node);
  }

  #owners(epoch: number): readonly number[] {
    if (epoch === 1) return NODES;
    return epoch === 2 && this.#steps.fields[DECIDED] === 1 ? NEW : OLD;
  }

  /** As bits. */
  #groups(epoch: number, pending: 'both' | 'old' | 'new'): readonly number[] {
    if (epoch === 1) return pending === 'both' ? [0b0111, 0b1110] : [pending === 'old' ? 0b0111 : 0b1110];
    return [epoch === 2 && this.#steps.fields[DECIDED] === 1 ? 0b1110 : 0b0111];
  }
}
