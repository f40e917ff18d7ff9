import { randomFillSync } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { ClientPorts, Clock, Random, Timer, Timers } from '../core/ports.js';
import { createTransport, type TlsOptions } from './node-transport.js';

/** The real clock, timers, random source and sockets of a Node.js process. */
export function createNodePorts(tls: TlsOptions | undefined): ClientPorts {
  return {
    clock: createClock(),
    timers: createTimers(),
    random: createRandom(),
    transport: createTransport(tls),
  };
}

function createClock(): Clock {
  return { monotonicMs: () => performance.now() };
}

function createTimers(): Timers {
  return {
    start: (delayMs: number, callback: () => void): Timer => setTimeout(callback, delayMs) as unknown as Timer,
    stop: (timer: Timer): void => clearTimeout(timer as unknown as NodeJS.Timeout),
    // Runs once the current callback and the promise reactions queued so far are done: everything that was called in
    // one turn leaves in one write.
    endOfTurn: (callback: () => void): void => process.nextTick(callback),
  };
}

/** How many random words are drawn from the system at once. */
const WORDS = 64;

function createRandom(): Random {
  const words = new Uint32Array(WORDS);
  let next = WORDS;
  return {
    uint32(): number {
      if (next === WORDS) {
        randomFillSync(words);
        next = 0;
      }
      return words[next++] as number;
    },
    fill(bytes: Uint8Array): void {
      randomFillSync(bytes);
    },
  };
}
