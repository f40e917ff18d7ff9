import type { SimWorld } from './sim-world.js';

export interface JournalLine {
  readonly atMs: number;
  /** Undefined for what concerns all keys: a fault, a line that a node logged. */
  readonly key: string | undefined;
  readonly text: string;
}

/** Lines shown around a broken promise, and of those about one key. */
const FAULT_LINES_MAX = 60;
const KEY_LINES_MAX = 80;
const BEYOND_MS = 5;
const NAME_MAX = 40;

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

  /** All lines, or those about one key up to a moment and a little beyond, with the faults and node events in between. */
  print(key?: string, atMs: number = Number.POSITIVE_INFINITY): string[] {
    const untilMs = atMs + BEYOND_MS;
    const before = this.lines.filter((line) => line.atMs <= untilMs);
    const about = before.filter((line) => line.key === key && key !== undefined).slice(-KEY_LINES_MAX);
    const fromMs = about[0]?.atMs ?? 0;
    const others = before.filter((line) => line.key === undefined && line.atMs >= fromMs).slice(-FAULT_LINES_MAX);
    return [...about, ...others].sort((left, right) => left.atMs - right.atMs).map((line) => format(line));
  }

  printAll(): string[] {
    return this.lines.map((line) => format(line));
  }
}

function format({ atMs, text, key }: JournalLine): string {
  return `${atMs.toFixed(3).padStart(11)} ms  ${key === undefined ? '' : `[${key.slice(0, NAME_MAX)}] `}${text}`;
}
