import type { CliIo } from './cli-io.js';
import type { Failure } from './failure.js';

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/**
 * The one place that writes results. With `--json` exactly one JSON document goes to standard output, whatever
 * happens; without it results go to standard output and everything else to standard error.
 */
export class Report {
  readonly json: boolean;
  readonly #io: CliIo;
  #written = false;
  /** Items of the list that is being written; undefined while there is none. */
  #listed: number | undefined;

  constructor(io: CliIo, json: boolean) {
    this.#io = io;
    this.json = json;
  }

  /** The result of the command: `document` for scripts, `text` (or bytes) for people and pipes. */
  result(document: JsonValue, text: string | Uint8Array): void {
    if (!this.json) this.#io.writeOutput(text);
    else if (!this.#written) this.#io.writeOutput(`${JSON.stringify(document)}\n`);
    this.#written = true;
  }

  /** Begins a result that is a list too long to be held: items are written as they come. */
  beginList(name: string): void {
    this.#listed = 0;
    if (this.json) this.#io.writeOutput(`{${JSON.stringify(name)}:[`);
  }

  /** One item of the list: in a document, or as text or bytes with their newline. */
  listItem(document: JsonValue, text: string | Uint8Array): void {
    const comma = this.#listed === 0 ? '' : ',';
    this.#listed = (this.#listed ?? 0) + 1;
    this.#io.writeOutput(this.json ? `${comma}${JSON.stringify(document)}` : text);
  }

  /** Ends the list; `fields` stand behind it in the document. */
  endList(fields: { readonly [name: string]: JsonValue }): void {
    if (this.json) this.#io.writeOutput(`],${JSON.stringify(fields).slice(1)}\n`);
    this.#listed = undefined;
    this.#written = true;
  }

  /** Something to know beside the result; never part of standard output. */
  note(text: string): void {
    this.#io.writeError(text.endsWith('\n') ? text : `${text}\n`);
  }

  failure(failure: Failure): void {
    const { exitCode, problems, ...rest } = failure;
    const listed = problems?.map(({ source, key, message }) => ({ source, key: key ?? null, message }));
    const error = listed === undefined ? rest : { ...rest, problems: listed };
    if (this.json && this.#listed !== undefined) {
      this.endList({ count: this.#listed, complete: false, error: { ...error, exitCode } });
    } else if (this.json) this.result({ error: { ...error, exitCode } }, '');
    else this.#io.writeError(failureText(failure));
  }
}

function failureText(failure: Failure): string {
  const lines = failure.message.split('\n').map((line, index) => (index === 0 ? `memdb: ${line}` : `       ${line}`));
  if (failure.outcome === 'unknown')
    lines.push('       The outcome is unknown: the write may have been applied, or may yet be.');
  if (failure.hint !== undefined) lines.push(`       ${failure.hint}`);
  return `${lines.join('\n')}\n`;
}
