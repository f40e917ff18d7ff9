import type { Model, OnStep } from './explore.js';
import { Steps } from './steps.js';

/**
 * What compaction may leave out of one replica's log (counterexample 7). The log holds records of one key, k@30 and its
 * deletion t@40, and the floor that says that t was purged. Each lies in a segment of its own, which can be compacted at
 * any time; k may come once more, late, from a peer's stream. A restart knows nothing but the log.
 */
export interface CompactionRules {
  /**
   * A purged tombstone is carried on as long as anything that it hides lies in the log, or only in an older segment, or not
   * at all.
   */
  readonly carried: 'while-hiding' | 'behind-older' | 'never';
  /** What comes below a floor does not reach the log. */
  readonly isBelowFloorKeptOut: boolean;
}

export const COMPACTION_RULES: CompactionRules = { carried: 'while-hiding', isBelowFloorKeptOut: true };

const SLOTS: readonly number[] = [0, 1, 2, 3, 4];

/** What lies in a segment. */
const NOTHING = 0;
const VALUE = 1;
const TOMBSTONE = 2;
const FLOOR = 3;

/** Segments that were written so far. */
const LENGTH: number = SLOTS.length;
/** What the index points to: nothing, the value, the tombstone. */
const INDEX: number = LENGTH + 1;
/** The floor is in force. */
const RAISED: number = INDEX + 1;
const SIZES: readonly number[] = [...SLOTS.map(() => 4), SLOTS.length + 1, 3, 2];

export function compactionModel(rules: CompactionRules): Model {
  const model = new CompactionModel(rules);
  return {
    first: [model.first()],
    broken: (state) => model.broken(state),
    next: (state, step) => model.next(state, step),
  };
}

class CompactionModel {
  readonly #rules: CompactionRules;
  readonly #steps: Steps = new Steps(SIZES);

  constructor(rules: CompactionRules) {
    this.#rules = rules;
  }

  first(): number {
    return this.#steps.name(new Array(SIZES.length).fill(0));
  }

  broken(state: number): string | undefined {
    this.#steps.at(state);
    const { fields } = this.#steps;
    return fields[RAISED] === 1 && fields[INDEX] === VALUE
      ? 'the deleted value lives although its deletion was purged'
      : undefined;
  }

  next(state: number, step: OnStep): void {
    this.#steps.at(state, step);
    this.#append();
    this.#compact();
    this.#restart();
  }

  #append(): void {
    const steps = this.#steps;
    const { fields } = steps;
    const slot = fields[LENGTH];
    if (slot === SLOTS.length) return;
    const append = (kind: number): Steps => steps.set(slot, kind).set(LENGTH, slot + 1);
    if (fields[INDEX] === NOTHING && fields[RAISED] === 0) append(VALUE).set(INDEX, VALUE).take('k@30 is stored');
    else if (fields[INDEX] === TOMBSTONE) append(VALUE).take('k@30 comes late, superseded');
    else if (fields[INDEX] === NOTHING && !this.#rules.isBelowFloorKeptOut)
      append(VALUE).take('k@30 comes below the floor');
    if (fields[RAISED] === 0 && fields[INDEX] !== TOMBSTONE)
      append(TOMBSTONE).set(INDEX, TOMBSTONE).take('t@40 is stored');
    if (fields[INDEX] === TOMBSTONE) append(FLOOR).set(INDEX, NOTHING).set(RAISED, 1).take('t@40 is purged');
  }

  #compact(): void {
    const steps = this.#steps;
    const { fields } = steps;
    for (const slot of SLOTS) {
      const kind = fields[slot];
      const isDead = kind === VALUE ? fields[INDEX] !== VALUE : kind === TOMBSTONE && fields[INDEX] !== TOMBSTONE;
      if (!isDead || (kind === TOMBSTONE && this.#isCarried(slot))) continue;
      steps.set(slot, NOTHING).take('segment % is compacted away', slot + 1);
    }
  }

  #isCarried(slot: number): boolean {
    const { fields } = this.#steps;
    const { carried } = this.#rules;
    if (carried === 'never') return false;
    return SLOTS.some((other) => fields[other] === VALUE && (carried === 'while-hiding' || other < slot));
  }

  /** Everything is admitted, then the floor erases what it covers. */
  #restart(): void {
    const steps = this.#steps;
    const { fields } = steps;
    const isThere = (kind: number): boolean => SLOTS.some((slot) => fields[slot] === kind);
    const newest = isThere(TOMBSTONE) ? TOMBSTONE : isThere(VALUE) ? VALUE : NOTHING;
    const isPurged = newest === TOMBSTONE && isThere(FLOOR);
    steps
      .set(INDEX, isPurged ? NOTHING : newest)
      .set(RAISED, isThere(FLOOR) ? 1 : 0)
      .take('a restart');
  }
}
