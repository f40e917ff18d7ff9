import type { OnStep } from './explore.js';
import { Layout } from './layout.js';

/** The fields of the state that is looked at, and the steps away from it. One object for a whole exploration: fast. */
export class Steps {
  readonly fields: number[] = [];
  readonly #layout: Layout;
  #state = 0;
  #to = 0;
  #step: OnStep = () => {};

  constructor(sizes: readonly number[]) {
    this.#layout = new Layout(sizes);
  }

  /** Names a state that is given as fields, in the order of the layout. */
  name(fields: readonly number[]): number {
    return this.#layout.pack(fields);
  }

  /** Looks at a state: `fields` are its own from now on. */
  at(state: number, step: OnStep = () => {}): void {
    this.#state = state;
    this.#to = state;
    this.#step = step;
    this.#layout.unpack(state, this.fields);
  }

  /** One change of the step that comes next. */
  set(field: number, value: number): this {
    this.#to += this.#layout.change(field, this.fields[field], value);
    return this;
  }

  /** As `set`, for four fields side by side. */
  clear(first: number): this {
    for (let field = first; field < first + 4; field++) this.set(field, 0);
    return this;
  }

  /** The step with the changes made since the last one; numbers stand in `what` as `%`. */
  take(what: string, first = 0, second = 0): void {
    this.#step(this.#to, what, first, second);
    this.#to = this.#state;
  }

  /** Four fields side by side, as bits: those that have a value. */
  bits(first: number, value = 1): number {
    const { fields } = this;
    return (
      (fields[first] === value ? 1 : 0) |
      (fields[first + 1] === value ? 2 : 0) |
      (fields[first + 2] === value ? 4 : 0) |
      (fields[first + 3] === value ? 8 : 0)
    );
  }
}
