/** What can be injected. Each kind is counted when it really bit, so that a run can prove that it was under fire. */
export type SimFault =
  | 'dial-refused'
  | 'dial-timed-out'
  | 'connection-reset'
  | 'bytes-held-by-cut'
  | 'bytes-lost'
  | 'bytes-clogged'
  | 'half-open'
  | 'write-retained'
  | 'chunk-split'
  | 'chunks-joined'
  | 'latency-spike'
  | 'pause'
  | 'crash'
  | 'sector-lost'
  | 'sector-torn'
  | 'name-lost'
  | 'orderly-stop'
  | 'write-failed'
  | 'sync-failed'
  | 'sync-slow'
  | 'disk-full'
  | 'bit-flipped'
  | 'disk-restored'
  | 'disk-wiped'
  | 'clock-jump'
  | 'clock-drift';

export class SimFaultCounters {
  readonly #counts: Map<SimFault, number> = new Map();

  bump(fault: SimFault, by: number = 1): void {
    this.#counts.set(fault, this.count(fault) + by);
  }

  count(fault: SimFault): number {
    return this.#counts.get(fault) ?? 0;
  }

  /** All that bit so far, for reports. */
  toJSON(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([left], [right]) => (left < right ? -1 : 1)));
  }
}
