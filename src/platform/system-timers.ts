import type { Timer, Timers } from '../ports/timers.js';

/** The longest delay that `setTimeout` knows (24.8 days); a longer one runs in steps. */
const STEP_MS_MAX = 0x7fff_ffff;

class SystemTimer implements Timer {
  declare readonly timerBrand?: never;
  readonly callback: () => void;
  remainingMs: number;
  handle: NodeJS.Timeout | undefined;

  constructor(callback: () => void, delayMs: number) {
    this.callback = callback;
    this.remainingMs = delayMs;
  }
}

/** Timers of the event loop. The end of a turn is the check phase: every socket that was ready has
 * been read by then, so what they made ready shares one write each, one batch and one sync. */
export class SystemTimers implements Timers {
  start(delayMs: number, callback: () => void): Timer {
    // The event loop counts whole milliseconds from a truncated start, so a plain timer may fire up to 1 ms early.
    const timer = new SystemTimer(callback, delayMs > 0 ? Math.ceil(delayMs) + 1 : 0);
    step(timer);
    return timer;
  }

  stop(timer: Timer): void {
    if (timer instanceof SystemTimer) clearTimeout(timer.handle);
  }

  endOfTurn(callback: () => void): void {
    setImmediate(callback);
  }
}

function step(timer: SystemTimer): void {
  const delayMs = Math.min(timer.remainingMs, STEP_MS_MAX);
  timer.remainingMs -= delayMs;
  timer.handle = setTimeout(fire, delayMs, timer);
}

function fire(timer: SystemTimer): void {
  if (timer.remainingMs > 0) step(timer);
  else timer.callback();
}
