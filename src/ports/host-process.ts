/** What is measured in a process, as it is now. Names carry their labels, as in `operations_total{operation="get"}`. */
export interface MetricsReading {
  readonly counters: Readonly<Record<string, number>>;
  readonly gauges: Readonly<Record<string, number>>;
  /** Counts per bucket; the last one is for what lies above all bounds. */
  readonly histograms: Readonly<Record<string, readonly number[]>>;
  /** Upper bounds of the buckets in seconds. */
  readonly bounds: readonly number[];
}

/** The process that a node runs in, as far as it is the node's business. */
export interface HostProcess {
  readonly pid: number;
  /** Version of the program. */
  readonly release: string;
  /** Unix milliseconds at which the process started. */
  readonly startedAtMs: number;
  /** Memory of the process that is in RAM. */
  residentBytes(): number;
  /** CPU time spent so far, in the process and in the kernel for it. */
  cpuSeconds(): number;
  /** Longest time an event waited for the event loop in the last second or so. */
  eventLoopDelaySeconds(): number;
  /** All that was measured so far. */
  metrics(): MetricsReading;
  /** Ends the process at once, as SIGKILL does: nothing is flushed, nobody is told. Does not return. */
  kill(): void;
  /** Asks the process to finish what it accepted and to exit with 0. Returns at once. */
  drain(): void;
}
