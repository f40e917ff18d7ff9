import type { Model, OnStep } from './explore.js';
import { Steps } from './steps.js';

/**
 * What a coordinator owes a peer (mechanisms: Catch-up from the log). It appends three records and sends each, in any order:
 * what is streamed after the link came back and what is written meanwhile overtake each other. The link may be cut, the
 * peer may crash before it has synced, and so may the coordinator, whose next records then take the same LSNs again.
 */
export interface CursorRules {
  /** The cursor is the end of what is acknowledged without a gap, or the highest LSN that is. */
  readonly cursor: 'prefix' | 'maximum';
  /** A peer acknowledges what it has synced. */
  readonly isAckDurable: boolean;
  /** The cursor is kept in the log, behind what it speaks of, or where it outlives the end of the log. */
  readonly kept: 'in-log' | 'aside';
  /** After a cut all above the cursor is sent again, or only what was not sent before. */
  readonly resumed: 'from-cursor' | 'from-sent';
}

export const CURSOR_RULES: CursorRules = {
  cursor: 'prefix',
  isAckDurable: true,
  kept: 'in-log',
  resumed: 'from-cursor',
};

const RECORDS: readonly number[] = [0, 1, 2];
const LENGTH = 0;
const SYNCED = 1;
/** Per record: 0 the peer lacks it, 1 has it in memory, 2 on its disk. */
const HELD = 2;
const SENT = 5;
const IN_FLIGHT = 8;
const ACKNOWLEDGED = 11;
const CURSOR = 14;
const KEPT = 15;
const SIZES: readonly number[] = [4, 4, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 4, 4];

const IN_MEMORY = 1;
const ON_DISK = 2;

export interface CursorModel extends Model {
  /** The peer has everything, and the coordinator knows it. */
  isSettled(state: number): boolean;
}

export function cursorModel(rules: CursorRules): CursorModel {
  const model = new Owing(rules);
  return {
    first: [model.first()],
    broken: (state) => model.broken(state),
    next: (state, step) => model.next(state, step),
    isSettled: (state) => model.isSettled(state),
  };
}

class Owing {
  readonly #rules: CursorRules;
  readonly #steps: Steps = new Steps(SIZES);

  constructor(rules: CursorRules) {
    this.#rules = rules;
  }

  first(): number {
    return this.#steps.name(new Array(SIZES.length).fill(0));
  }

  broken(state: number): string | undefined {
    this.#steps.at(state);
    const { fields } = this.#steps;
    for (let record = 0; record < fields[CURSOR]; record++) {
      if (fields[HELD + record] !== ON_DISK)
        return `the cursor is behind LSN ${record + 1}, which the peer may never get`;
    }
    return undefined;
  }

  isSettled(state: number): boolean {
    this.#steps.at(state);
    return this.#steps.fields[CURSOR] === RECORDS.length;
  }

  next(state: number, step: OnStep): void {
    this.#steps.at(state, step);
    this.#append();
    for (const record of RECORDS) this.#send(record);
    this.#peer();
    this.#keep();
    this.#crash();
  }

  #append(): void {
    const steps = this.#steps;
    const { fields } = steps;
    if (fields[LENGTH] < RECORDS.length) steps.set(LENGTH, fields[LENGTH] + 1).take('a record is appended');
    if (fields[SYNCED] < fields[LENGTH]) steps.set(SYNCED, fields[LENGTH]).take('the coordinator syncs');
  }

  #send(record: number): void {
    const steps = this.#steps;
    const { fields } = steps;
    if (record >= fields[LENGTH]) return;
    if (fields[SENT + record] === 0) {
      steps
        .set(SENT + record, 1)
        .set(IN_FLIGHT + record, 1)
        .take('LSN % is sent', record + 1);
      return;
    }
    if (fields[IN_FLIGHT + record] === 1) {
      const held = Math.max(fields[HELD + record], IN_MEMORY);
      steps
        .set(IN_FLIGHT + record, 0)
        .set(HELD + record, held)
        .take('LSN % arrives', record + 1);
      return;
    }
    const least = this.#rules.isAckDurable ? ON_DISK : IN_MEMORY;
    if (fields[HELD + record] < least || fields[ACKNOWLEDGED + record] === 1) return;
    steps
      .set(ACKNOWLEDGED + record, 1)
      .set(CURSOR, this.#cursorWith(record))
      .take('LSN % is acknowledged', record + 1);
  }

  #cursorWith(record: number): number {
    const { fields } = this.#steps;
    if (this.#rules.cursor === 'maximum') return Math.max(fields[CURSOR], record + 1);
    let cursor = fields[CURSOR];
    while (cursor < RECORDS.length && (cursor === record || fields[ACKNOWLEDGED + cursor] === 1)) cursor++;
    return cursor;
  }

  #peer(): void {
    const steps = this.#steps;
    const { fields } = steps;
    const volatile = RECORDS.filter((record) => fields[HELD + record] === IN_MEMORY);
    if (volatile.length > 0) {
      for (const record of volatile) steps.set(HELD + record, ON_DISK);
      steps.take('the peer syncs');
    }
    this.#cut().take('the link is cut');
    for (const record of volatile) steps.set(HELD + record, 0);
    this.#cut().take('the peer crashes');
  }

  /** Acknowledgements on their way are lost with what is in flight: they were not taken. */
  #cut(): Steps {
    const steps = this.#steps;
    const { fields } = steps;
    for (const record of RECORDS) {
      steps.set(IN_FLIGHT + record, 0);
      if (this.#rules.resumed === 'from-sent') continue;
      steps.set(SENT + record, 0);
      if (record >= fields[CURSOR]) steps.set(ACKNOWLEDGED + record, 0);
    }
    return steps;
  }

  #keep(): void {
    const steps = this.#steps;
    const { fields } = steps;
    if (fields[KEPT] === fields[CURSOR]) return;
    // A record behind what it speaks of: once it is there, so is all before it.
    if (this.#rules.kept === 'in-log') steps.set(SYNCED, fields[LENGTH]);
    steps.set(KEPT, fields[CURSOR]).take('the cursor is kept');
  }

  #crash(): void {
    const steps = this.#steps;
    const { fields } = steps;
    const kept = fields[KEPT];
    for (const record of RECORDS) {
      steps.set(IN_FLIGHT + record, 0);
      // What was sent is kept as well, where that is what a link goes on from.
      if (this.#rules.resumed === 'from-cursor' || record >= fields[SYNCED]) steps.set(SENT + record, 0);
      steps.set(ACKNOWLEDGED + record, record < kept ? 1 : 0);
      // Another record will have this LSN.
      if (record >= fields[SYNCED]) steps.set(HELD + record, 0);
    }
    steps.set(LENGTH, fields[SYNCED]).set(CURSOR, kept).take('the coordinator crashes');
  }
}
