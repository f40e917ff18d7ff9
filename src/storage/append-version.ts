/** Appends one version of a key or of a counter's entry and returns its LSN; `Store.append` says what each word means. */
export type AppendVersion = (
  kind: number,
  counter: number,
  node: number,
  hash: number,
  bytes: Uint8Array,
  keyStart: number,
  keyLength: number,
  valueBytes: Uint8Array,
  valueStart: number,
  valueLength: number,
  expiresAtMs: number,
) => number;
