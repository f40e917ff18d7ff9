import type { Model, OnStep } from './explore.js';
import { Steps } from './steps.js';

/**
 * When a replica may forget a tombstone (mechanisms: Purging tombstones). R0 R1 R2 own a partition with two keys. Of one
 * all hold v@30, until its deletion d@44 is stored somewhere. Of the other nobody holds anything, until R2 stamps r, @40 or
 * @50, and it is acknowledged once two hold it. Everything a replica holds may reach any other at any time, or a comparison
 * comes first. A replica that purged d answers for what it lacks with its floor, 44.
 */
export interface PurgeRules {
  /** A floor is raised on one's own comparisons, or taken over from another. */
  readonly evidence: 'own' | 'adopted';
  /** With how many others a replica has compared equal before it purges. */
  readonly compared: 1 | 2;
  /** Only comparisons count that came after it held the tombstone. */
  readonly isAfterHeld: boolean;
  /** Only comparisons of durable records count. */
  readonly isDurable: boolean;
  /** A current owner that finds itself below another's floor keeps its copy. */
  readonly isCopyKept: boolean;
  /** A coordinator stamps above all that it holds. */
  readonly isStampAboveHeld: boolean;
}

export const PURGE_RULES: PurgeRules = {
  evidence: 'own',
  compared: 2,
  isAfterHeld: true,
  isDurable: true,
  isCopyKept: true,
  isStampAboveHeld: true,
};

const OWNERS: readonly number[] = [0, 1, 2];
const EARLY = 0;
const FLOOR_COUNTER = 44;
const COUNTERS: readonly number[] = [40, 50];

/** Of the deleted key. */
const HOLDS_VALUE = 0;
const HOLDS_TOMBSTONE = 1;
const PURGED = 2;

/** Per owner, each. */
const DELETED = 0;
const SYNCED = 3;
const HELD = 6;
/** Its clock has reached the counter of the deletion: it has held it once. */
const CLOCK = 9;
/** By pairs: owner × 3 + other. */
const EQUAL = 12;
const BEGUN = 21;
const ACKNOWLEDGED = 22;
const DELETE_BEGUN = 23;
/** Whether r is stamped @40 or @50. */
const COUNTER = 24;
const SIZES: readonly number[] = [3, 3, 3, ...new Array(COUNTER - 2).fill(2)];

export function purgeModel(rules: PurgeRules): Model {
  const model = new PurgeModel(rules);
  return {
    first: COUNTERS.map((_, counter) => model.first(counter)),
    broken: (state) => model.broken(state),
    next: (state, step) => model.next(state, step),
  };
}

class PurgeModel {
  readonly #rules: PurgeRules;
  readonly #steps: Steps = new Steps(SIZES);

  constructor(rules: PurgeRules) {
    this.#rules = rules;
  }

  first(counter: number): number {
    const fields: number[] = new Array(SIZES.length).fill(0);
    fields[COUNTER] = counter;
    return this.#steps.name(fields);
  }

  broken(state: number): string | undefined {
    this.#steps.at(state);
    const { fields } = this.#steps;
    for (const left of OWNERS) {
      for (const right of OWNERS) {
        if (left >= right) continue;
        const isPurged = OWNERS.some((owner) => fields[DELETED + owner] === PURGED);
        const showsValue = fields[DELETED + left] === HOLDS_VALUE && fields[DELETED + right] === HOLDS_VALUE;
        if (isPurged && showsValue) return `R${left} and R${right} show the value whose deletion was purged`;
        if (fields[ACKNOWLEDGED] === 1 && !this.#showsWrite(left, right)) {
          return `R${left} and R${right} miss the write that was acknowledged`;
        }
      }
    }
    return undefined;
  }

  next(state: number, step: OnStep): void {
    this.#steps.at(state, step);
    this.#write();
    this.#delete();
    this.#compare();
    this.#purge();
    this.#crash();
  }

  #showsWrite(left: number, right: number): boolean {
    const { fields } = this.#steps;
    const pair = [left, right];
    if (!pair.some((owner) => fields[HELD + owner] === 1)) return false;
    const isAbove = COUNTERS[fields[COUNTER]] > FLOOR_COUNTER;
    return isAbove || !pair.some((owner) => fields[HELD + owner] === 0 && fields[DELETED + owner] === PURGED);
  }

  #write(): void {
    const steps = this.#steps;
    const { fields } = steps;
    if (fields[BEGUN] === 0) {
      const isBelow = fields[COUNTER] === EARLY && fields[CLOCK + 2] === 1;
      if (isBelow && this.#rules.isStampAboveHeld) return;
      steps
        .set(BEGUN, 1)
        .set(HELD + 2, 1)
        .take('R2 stores the write @%', COUNTERS[fields[COUNTER]]);
      return;
    }
    for (const owner of OWNERS) {
      if (fields[HELD + owner] === 1 || !OWNERS.some((other) => fields[HELD + other] === 1)) continue;
      const isRefused = fields[DELETED + owner] === PURGED && fields[COUNTER] === EARLY;
      if (!isRefused) steps.set(HELD + owner, 1).take('R% stores the write', owner);
    }
    const holders = OWNERS.filter((owner) => fields[HELD + owner] === 1).length;
    if (fields[ACKNOWLEDGED] === 0 && holders >= 2) steps.set(ACKNOWLEDGED, 1).take('the write is acknowledged');
  }

  #delete(): void {
    const steps = this.#steps;
    const { fields } = steps;
    const isHeld = OWNERS.some((owner) => fields[DELETED + owner] === HOLDS_TOMBSTONE);
    for (const owner of OWNERS) {
      if (fields[DELETED + owner] === HOLDS_VALUE && (isHeld || fields[DELETE_BEGUN] === 0)) {
        steps
          .set(DELETE_BEGUN, 1)
          .set(DELETED + owner, HOLDS_TOMBSTONE)
          .set(CLOCK + owner, 1)
          .take('R% stores the deletion', owner);
      }
      if (fields[DELETED + owner] === HOLDS_TOMBSTONE && fields[SYNCED + owner] === 0) {
        steps.set(SYNCED + owner, 1).take('R% syncs it', owner);
      }
    }
  }

  #compare(): void {
    const steps = this.#steps;
    const { fields } = steps;
    const { isAfterHeld, isDurable } = this.#rules;
    for (const owner of OWNERS) {
      if (isAfterHeld && fields[DELETED + owner] !== HOLDS_TOMBSTONE) continue;
      for (const other of OWNERS) {
        if (other === owner || fields[EQUAL + owner * 3 + other] === 1 || !this.#areEqual(owner, other)) continue;
        if (isDurable && !(this.#isSynced(owner) && this.#isSynced(other))) continue;
        steps.set(EQUAL + owner * 3 + other, 1).take('R% compares equal with R%', owner, other);
      }
    }
  }

  /** Tombstones below the higher floor are left out. */
  #areEqual(left: number, right: number): boolean {
    const { fields } = this.#steps;
    const hasValue = (owner: number): boolean => fields[DELETED + owner] === HOLDS_VALUE;
    return fields[HELD + left] === fields[HELD + right] && hasValue(left) === hasValue(right);
  }

  #isSynced(owner: number): boolean {
    return this.#steps.fields[DELETED + owner] !== HOLDS_TOMBSTONE || this.#steps.fields[SYNCED + owner] === 1;
  }

  #purge(): void {
    const steps = this.#steps;
    const { fields } = steps;
    const { evidence, compared, isCopyKept } = this.#rules;
    const isPurged = OWNERS.some((owner) => fields[DELETED + owner] === PURGED);
    for (const owner of OWNERS) {
      const evidenced = OWNERS.filter((other) => fields[EQUAL + owner * 3 + other] === 1).length;
      if (fields[DELETED + owner] === HOLDS_TOMBSTONE && this.#isSynced(owner)) {
        if (evidenced >= compared) this.#forget(owner).take('R% purges the deletion', owner);
        else if (evidence === 'adopted' && isPurged) this.#forget(owner).take('R% takes over a floor', owner);
      }
      if (!isCopyKept && isPurged && fields[DELETED + owner] === HOLDS_TOMBSTONE) {
        this.#forget(owner)
          .set(HELD + owner, 0)
          .take('R% drops its copy', owner);
      }
    }
  }

  /** What it knows of others serves no further purpose. */
  #forget(owner: number): Steps {
    const steps = this.#steps.set(DELETED + owner, PURGED).set(SYNCED + owner, 0);
    for (const other of OWNERS) steps.set(EQUAL + owner * 3 + other, 0);
    return steps;
  }

  /** What was not synced is gone, and with it what it knew of others. */
  #crash(): void {
    const steps = this.#steps;
    const { fields } = steps;
    for (const owner of OWNERS) {
      if (fields[DELETED + owner] !== HOLDS_TOMBSTONE || fields[SYNCED + owner] === 1) continue;
      steps.set(DELETED + owner, HOLDS_VALUE);
      for (const other of OWNERS) steps.set(EQUAL + owner * 3 + other, 0);
      steps.take('R% crashes before its sync', owner);
    }
  }
}
