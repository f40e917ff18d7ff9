import type { HostProcess } from '../ports/host-process.js';
import type { EventLoopDelay } from './event-loop-delay.js';

const MICROSECONDS = 1e6;

/** The process that this code runs in. */
export class OwnProcess implements HostProcess {
  readonly pid: number = process.pid;
  readonly release: string;
  readonly startedAtMs: number = Date.now() - Math.round(process.uptime() * 1000);
  readonly #delay: EventLoopDelay;
  readonly #drain: () => void;

  /** `drain` is what SIGTERM does. */
  constructor(release: string, delay: EventLoopDelay, drain: () => void) {
    this.release = release;
    this.#delay = delay;
    this.#drain = drain;
  }

  residentBytes(): number {
    return process.memoryUsage.rss();
  }

  cpuSeconds(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) / MICROSECONDS;
  }

  eventLoopDelaySeconds(): number {
    return this.#delay.recentSeconds();
  }

  kill(): void {
    process.kill(process.pid, 'SIGKILL');
  }

  drain(): void {
    this.#drain();
  }
}
