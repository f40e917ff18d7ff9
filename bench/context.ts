import type { Children } from './children.js';
import type { Options } from './options.js';
import type { MissingPeer } from './peers/peer.js';
import type { Row } from './rows/row.js';

/** What every part of a run shares. */
export interface Context {
  readonly children: Children;
  readonly options: Options;
  readonly rows: Row[];
  /** Lines of information that belong to no row. */
  readonly notes: string[];
  readonly missing: MissingPeer[];
  /** Says on standard error what is going on: standard output carries results only. */
  progress(text: string): void;
}

/** Records, once, that a peer is not installed. */
export function skip(context: Context, name: string, install: string): void {
  if (context.missing.some((peer) => peer.name === name)) return;
  context.missing.push({ name, install });
  context.progress(`skipped: ${name} is not installed (${install})`);
}
