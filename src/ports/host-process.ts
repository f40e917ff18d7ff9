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
  /** Ends the process at once, as SIGKILL does: nothing is flushed, nobody is told. Does not return. */
  kill(): void;
  /** Asks the process to finish what it accepted and to exit with 0. Returns at once. */
  drain(): void;
}
