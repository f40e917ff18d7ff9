export interface Random {
  /** A uniform unsigned 32-bit integer. Not for secrets. */
  uint32(): number;
  /** Fills `bytes`; cryptographically strong outside the simulator. Keys, nonces and identities come from here. */
  fill(bytes: Uint8Array): void;
}
