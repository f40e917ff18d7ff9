/**
 * Time during which this node was able to listen. While its event loop is busy, or the process stands still, answers
 * wait unread in the sockets: a deadline that ran on would accuse others of this node's own silence. So a node at a tenth
 * of its speed gives everybody ten times as long.
 */
export class AttentiveClock {
  /** Milliseconds; advanced by `tick` only. */
  nowMs = 0;
  readonly #tickMs: number;
  #monotonicMs: number | undefined;

  /** `tickMs`: how far apart the ticks of a node that keeps up are. */
  constructor(tickMs: number) {
    this.#tickMs = tickMs;
  }

  /** Called every `tickMs`, or later. Returns how much of the time since the last call does not count. */
  tick(monotonicMs: number): number {
    const elapsedMs = monotonicMs - (this.#monotonicMs ?? monotonicMs);
    this.#monotonicMs = monotonicMs;
    const countedMs = Math.min(elapsedMs, this.#tickMs * 1.5);
    this.nowMs += countedMs;
    return elapsedMs - countedMs;
  }
}
