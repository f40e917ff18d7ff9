import type { SimWorld } from './sim-world.js';

export interface JournalLine {
  readonly atMs: number;
  /** Undefined for what concerns all keys: a fault, a line that a node logged. */
  readonly key: string | undefined;
  readonly text: string;
}

/** Lines shown around a broken promise, and of those about one key. */
const FAULT_LINES_MAX = 60;
const KEY_LINES_MAX = 120;

/** What happened in a run, in words. Off unless somebody wants to read it: texts are made in functions. */
export class Journal {
  readonly lines: JournalLine[] = [];
  readonly #world: SimWorld;
  readonly #on: boolean;

  constructor(world: SimWorld, on: boolean) {
    this.#world = world;
    this.#on = on;
  }

  get on(): boolean {
    return this.#on;
  }

  note(key: string | undefined, text: () => string): void {
    if (this.#on) this.lines.push({ atMs: this.#world.nowMs, key, text: text() });
  }

  /** All lines, or those about one key with the faults and node events between them. */
  print(key?: string): string[] {
    const format = ({ atMs, text, key: about }: JournalLine): string =>
      `${atMs.toFixed(3).padStart(11)} ms  ${about === undefined ? '' : `[${about}] `}${text}`;
    if (key === undefined) return this.lines.map(format);
    const about = this.lines.filter((line) => line.key === key).slice(-KEY_LINES_MAX);
    const fromMs = about[0]?.atMs ?? 0;
    const others = this.lines.filter((line) => line.key === undefined && line.atMs >= fromMs).slice(-FAULT_LINES_MAX);
    return [...about, ...others].sort((left, right) => left.atMs - right.atMs).map(format);
  }
}
