const FIRST_SLOTS: number = 2 ** 16;
const LOAD_MAX = 0.5;
const TWO_32 = 4294967296;

/** States that were reached, numbered in that order: millions of them, at a fraction of what a `Set` costs. */
export class StateTable {
  #slots: Int32Array = new Int32Array(FIRST_SLOTS).fill(-1);
  #states: Float64Array = new Float64Array(FIRST_SLOTS);
  size = 0;

  at(index: number): number {
    return this.#states[index];
  }

  /** The number of a state, which is a new one when it was the size before. */
  add(state: number): number {
    const mask = this.#slots.length - 1;
    const high = Math.floor(state / TWO_32);
    let hash = Math.imul(state | 0, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    let slot = (hash ^ (hash >>> 13)) & mask;
    for (;;) {
      const index = this.#slots[slot];
      if (index === -1) break;
      if (this.#states[index] === state) return index;
      slot = (slot + 1) & mask;
    }
    const index = this.size++;
    this.#slots[slot] = index;
    this.#states[index] = state;
    if (this.size > this.#slots.length * LOAD_MAX) this.#grow();
    return index;
  }

  #grow(): void {
    const { size } = this;
    const old = this.#states;
    this.#slots = new Int32Array(this.#slots.length * 2).fill(-1);
    this.#states = new Float64Array(this.#slots.length);
    this.size = 0;
    for (let index = 0; index < size; index++) this.add(old[index]);
  }
}
