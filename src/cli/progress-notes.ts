import type { CliContext } from './cli-context.js';

/** Between two lines; a line for each segment would be too many. */
const PAUSE_MS = 2000;

/** Says now and then on standard error how far a long command has come; not with `--json`. */
export class ProgressNotes {
  readonly #context: CliContext;
  #nextMs: number;

  constructor(context: CliContext) {
    this.#context = context;
    this.#nextMs = context.io.nowMs() + PAUSE_MS;
  }

  show(text: string): void {
    const { io, report } = this.#context;
    const nowMs = io.nowMs();
    if (report.json || nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + PAUSE_MS;
    report.note(`memdb: ${text}`);
  }
}

/** A size for people: three digits and a unit. */
export function showBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}
