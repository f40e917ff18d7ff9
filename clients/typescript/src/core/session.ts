/** Counters stay below 2^53, so that a number holds them exactly. */
const COUNTER_MAX: number = Number.MAX_SAFE_INTEGER;

/**
 * What this client has seen of the cluster's logical time: the highest Lamport counter of any frame. It travels in
 * every request, and whatever the request writes is newer than all the client had seen.
 */
export class Session {
  /** The highest counter seen. Only `observe` raises it. */
  counter: number;
  /** Epoch of the topology that requests are routed by; 0 before the first. */
  epoch = 0;

  constructor(token: number) {
    this.counter = token;
  }

  /** Hot: one comparison a frame. */
  observe(counter: number): void {
    if (counter > this.counter) this.counter = counter;
  }

  /**
   * A number that carries causality to another process: `connect(url, { token })` there makes its writes newer than
   * everything seen here. It only grows. Safe to send as text or JSON.
   */
  get token(): number {
    return this.counter;
  }
}

/** A token as `connect` takes it; undefined when it is not one. */
export function parseToken(token: number | string): number | undefined {
  if (typeof token === 'string' && !/^[0-9]{1,16}$/.test(token)) return undefined;
  const counter = Number(token);
  return Number.isInteger(counter) && counter >= 0 && counter <= COUNTER_MAX ? counter : undefined;
}
