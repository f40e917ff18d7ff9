/**
 * Whether a history of operations on one object is linearizable: there is an order of all operations, one that keeps
 * apart what did not overlap, in which a simple sequential model gives every answer that was given. The search of Wing
 * and Gong (1993) with the memory of Lowe (2017): a set of operations that was placed, together with the state it led
 * to, is looked at once only.
 *
 * ```ts
 * const verdict = checkLinearizable(registerModel, [
 *   { input: { kind: 'set', value: 'a' }, output: { kind: 'done' }, begun: 1, answered: 3 },
 *   { input: { kind: 'get' }, output: { kind: 'value', value: 'a' }, begun: 2, answered: 4 },
 * ]);
 * ```
 */
export interface Operation<Input, Output> {
  readonly input: Input;
  /** Undefined when the outcome is unknown: it may take effect at any time after it began, or never. */
  readonly output: Output | undefined;
  readonly begun: number;
  /** Infinity when nobody answered. */
  readonly answered: number;
}

/** What one object does when nothing runs at the same time. */
export interface SequentialModel<State, Input, Output> {
  readonly initial: State;
  /** The state after the operation; undefined when it would not have given this answer. */
  apply(state: State, input: Input, output: Output | undefined): State | undefined;
  /** Equal for equal states. */
  nameOf(state: State): string;
}

export type Verdict = 'linearizable' | 'not linearizable' | 'given up';

/** States of the search that are looked at before it gives up: about 100 MB of names. */
const STATES_MAX = 1_000_000;

/** `given up` is a failure too: histories must be short enough (at most about 8 clients and 200 operations a key). */
export function checkLinearizable<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
): Verdict {
  const search = new Search(model, history);
  return search.run();
}

/** A call or an answer, in a list that both ends of an operation are taken out of and put back into. */
interface Entry {
  readonly operation: number;
  readonly isCall: boolean;
  previous: Entry | undefined;
  next: Entry | undefined;
  /** Of a call: its answer, unless it has none. */
  answer: Entry | undefined;
}

class Search<State, Input, Output> {
  readonly #model: SequentialModel<State, Input, Output>;
  readonly #history: readonly Operation<Input, Output>[];
  readonly #head: Entry = { operation: -1, isCall: false, previous: undefined, next: undefined, answer: undefined };
  readonly #placed: Uint32Array;
  readonly #seen: Set<string> = new Set();
  /** Operations that were answered and are not placed yet. */
  #missing: number;

  constructor(model: SequentialModel<State, Input, Output>, history: readonly Operation<Input, Output>[]) {
    this.#model = model;
    this.#history = history;
    this.#placed = new Uint32Array(Math.ceil(history.length / 32));
    this.#missing = history.filter((operation) => isAnswered(operation)).length;
    this.#link();
  }

  run(): Verdict {
    const undo: { readonly entry: Entry; readonly state: State }[] = [];
    let state = this.#model.initial;
    let entry = this.#head.next;
    while (this.#missing > 0) {
      const next = entry?.isCall === true ? this.#tryPlace(entry, state) : undefined;
      if (entry !== undefined && next !== undefined) {
        if (this.#seen.size > STATES_MAX) return 'given up';
        undo.push({ entry, state });
        state = next.state;
        this.#take(entry);
        entry = this.#head.next;
      } else if (entry?.isCall === true) entry = entry.next;
      else {
        // An answer, or the end: whatever was called before it does not explain it.
        const last = undo.pop();
        if (last === undefined) return 'not linearizable';
        state = last.state;
        this.#putBack(last.entry);
        entry = last.entry.next;
      }
    }
    return 'linearizable';
  }

  /** The state after placing an operation next, unless its answer says otherwise or that was looked at before. */
  #tryPlace(entry: Entry, state: State): { readonly state: State } | undefined {
    const { input, output } = this.#history[entry.operation];
    const next = this.#model.apply(state, input, output);
    if (next === undefined) return undefined;
    this.#mark(entry.operation);
    const name = `${this.#placed.join()} ${this.#model.nameOf(next)}`;
    this.#mark(entry.operation);
    if (this.#seen.has(name)) return undefined;
    this.#seen.add(name);
    return { state: next };
  }

  #mark(operation: number): void {
    this.#placed[operation >>> 5] ^= 1 << (operation & 31);
  }

  #take(call: Entry): void {
    this.#mark(call.operation);
    unlink(call);
    if (call.answer === undefined) return;
    this.#missing--;
    unlink(call.answer);
  }

  #putBack(call: Entry): void {
    if (call.answer !== undefined) {
      relink(call.answer);
      this.#missing++;
    }
    relink(call);
    this.#mark(call.operation);
  }

  #link(): void {
    const ends: { readonly at: number; readonly entry: Entry }[] = [];
    for (const [operation, { begun, answered, output }] of this.#history.entries()) {
      const call: Entry = { operation, isCall: true, previous: undefined, next: undefined, answer: undefined };
      ends.push({ at: begun, entry: call });
      if (!isAnswered({ answered, output })) continue;
      call.answer = { operation, isCall: false, previous: undefined, next: undefined, answer: undefined };
      ends.push({ at: answered, entry: call.answer });
    }
    // At one moment calls come first: they may have overlapped.
    ends.sort((one, two) => one.at - two.at || Number(two.entry.isCall) - Number(one.entry.isCall));
    let last = this.#head;
    for (const { entry } of ends) {
      last.next = entry;
      entry.previous = last;
      last = entry;
    }
  }
}

function isAnswered({ answered, output }: { readonly answered: number; readonly output: unknown }): boolean {
  return output !== undefined && answered !== Number.POSITIVE_INFINITY;
}

function unlink(entry: Entry): void {
  if (entry.previous !== undefined) entry.previous.next = entry.next;
  if (entry.next !== undefined) entry.next.previous = entry.previous;
}

function relink(entry: Entry): void {
  if (entry.previous !== undefined) entry.previous.next = entry;
  if (entry.next !== undefined) entry.next.previous = entry;
}
