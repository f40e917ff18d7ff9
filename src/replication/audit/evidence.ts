/**
 * What one replica knows first-hand of each partition it shares with one peer: the LSN of its own log up to which all
 * that it held then was held by the peer too, both durably (mechanisms: Purging tombstones). 0 for no evidence.
 * It lives in memory: a restart, another epoch, or a record lost here voids it.
 */
export class Evidence {
  readonly #lsns: Float64Array;
  /** How often evidence was voided: a comparison that was under way then proves nothing. */
  voids = 0;

  constructor(partitions: number) {
    this.#lsns = new Float64Array(partitions);
  }

  of(partition: number): number {
    return this.#lsns[partition];
  }

  /** Compared equal when the own log ended at `lsn`. */
  note(partition: number, lsn: number): void {
    if (lsn > this.#lsns[partition]) this.#lsns[partition] = lsn;
  }

  void(partition: number): void {
    this.voids++;
    this.#lsns[partition] = 0;
  }
}
