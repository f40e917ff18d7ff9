import { StateTable } from './state-table.js';

/** Takes a state that may come next, and what happened: numbers stand in `what` as `%`, in their order. */
export type OnStep = (to: number, what: string, first?: number, second?: number) => void;

/**
 * An explicit-state model: all states that can be reached from the first ones, by every order of steps. The name of a
 * state is a number that says all of it, so that states which are the same are found to be.
 */
export interface Model {
  readonly first: readonly number[];
  /** Calls `step` with every state that may come next. */
  next(state: number, step: OnStep): void;
  /** The promise that does not hold in this state; undefined when all do. */
  broken(state: number): string | undefined;
}

export interface Explored {
  /** States looked at: all there are, unless a promise was broken. */
  readonly states: number;
  /** The first broken promise, on a shortest path. */
  readonly broken: string | undefined;
  /** What led to it. */
  readonly trace: readonly string[];
}

/** A model larger than this is a mistake: it would not end within seconds. */
const STATES_MAX = 4_000_000;

/** Breadth first, so that the trace to a broken promise is as short as any. */
export function explore(model: Model): Explored {
  const reached = new StateTable();
  const from: number[] = [];
  let current = -1;
  const step = (to: number): void => {
    if (reached.add(to) === from.length) from.push(current);
  };
  for (const state of model.first) step(state);
  for (current = 0; current < reached.size; current++) {
    if (current > STATES_MAX) throw new Error(`more than ${STATES_MAX} states`);
    const state = reached.at(current);
    const broken = model.broken(state);
    if (broken !== undefined) return { states: current + 1, broken, trace: traceOf(model, reached, from, current) };
    model.next(state, step);
  }
  return { states: reached.size, broken: undefined, trace: [] };
}

function traceOf(model: Model, reached: StateTable, from: readonly number[], last: number): string[] {
  const trace: string[] = [];
  for (let at = last; from[at] !== -1; at = from[at]) {
    let what = '?';
    model.next(reached.at(from[at]), (to, how, first = 0, second = 0) => {
      if (to === reached.at(at)) what = how.replace('%', String(first)).replace('%', String(second));
    });
    trace.unshift(what);
  }
  return trace;
}

/**
 * States from which no path leads to one that is `settled`: whoever gets there stays stuck, whatever happens. The model
 * is explored as a whole, so it must keep its promises.
 */
export function stuckStates(model: Model, settled: (state: number) => boolean): number[] {
  const reached = new StateTable();
  const before: number[][] = [];
  let current = -1;
  const step = (to: number): void => {
    const index = reached.add(to);
    if (index === before.length) before.push([]);
    if (current !== -1) before[index].push(current);
  };
  for (const state of model.first) step(state);
  for (current = 0; current < reached.size; current++) {
    if (current > STATES_MAX) throw new Error(`more than ${STATES_MAX} states`);
    model.next(reached.at(current), step);
  }
  const free: boolean[] = before.map((_, at) => settled(reached.at(at)));
  const open = free.flatMap((isFree, at) => (isFree ? [at] : []));
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const earlier of before[at]) {
      if (free[earlier]) continue;
      free[earlier] = true;
      open.push(earlier);
    }
  }
  return free.flatMap((isFree, at) => (isFree ? [] : [reached.at(at)]));
}
