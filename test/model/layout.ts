/** Small numbers side by side in one: the name of a state. */
export class Layout {
  readonly #sizes: readonly number[];
  readonly #weights: readonly number[];
  /** Fields up to here fit into an integer of 31 bits, and so do those behind: division of those is fast. */
  readonly #low: number;
  readonly #lowStates: number;

  /** How many values each field has; their product stays below 2^53. */
  constructor(sizes: readonly number[]) {
    let weight = 1;
    this.#weights = sizes.map((size) => {
      const own = weight;
      weight *= size;
      return own;
    });
    if (weight >= 2 ** 53) throw new Error('too many states to name them');
    this.#sizes = sizes;
    const ends = [...this.#weights, weight];
    this.#low = ends.findLastIndex((end) => end < 2 ** 31);
    this.#lowStates = ends[this.#low];
  }

  pack(fields: readonly number[]): number {
    return fields.reduce((state, field, index) => state + field * this.#weights[index], 0);
  }

  /** Reads all fields into an array that is used again and again. */
  unpack(state: number, fields: number[]): void {
    const high = Math.floor(state / this.#lowStates);
    this.#read(state - high * this.#lowStates, fields, 0, this.#low);
    this.#read(high, fields, this.#low, this.#sizes.length);
  }

  #read(part: number, fields: number[], from: number, to: number): void {
    let rest = part | 0;
    for (let index = from; index < to; index++) {
      const size = this.#sizes[index] | 0;
      const next = (rest / size) | 0;
      fields[index] = rest - Math.imul(next, size);
      rest = next;
    }
  }

  /** What setting a field from one value to another adds to the name of the state. */
  change(field: number, from: number, to: number): number {
    return (to - from) * this.#weights[field];
  }
}

/** Members of four, as bits: a majority of each group. */
export function isMajority(groups: readonly number[], answered: number): boolean {
  for (const group of groups) if (COUNT[group & answered] * 2 <= COUNT[group]) return false;
  return true;
}

const COUNT: readonly number[] = Array.from(
  { length: 16 },
  (_, bits) => [1, 2, 4, 8].filter((bit) => bits & bit).length,
);
