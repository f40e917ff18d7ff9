/** One planted bug: a text of the compiled code, and what stands there instead. */
export interface Mutant {
  readonly name: string;
  /** What it gets wrong, in a sentence. */
  readonly why: string;
  /** Below `dist/`, or below a workspace: the end of the module's address. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'acknowledges-before-sync',
    why: 'A record counts as durable when it is written, not when it is synced.',
    file: 'src/storage/store.js',
    find: "return this.#options.durability === 'sync' ? writer.syncedLsn : writer.writtenLsn;",
    replace: 'return writer.writtenLsn;',
  },
];
