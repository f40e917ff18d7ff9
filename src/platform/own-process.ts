import type { HostProcess, MetricsReading } from '../ports/host-process.js';
import type { JsonTelemetry } from './json-telemetry.js';

const MICROSECONDS = 1e6;

/** The process that this code runs in. */
export class OwnProcess implements HostProcess {
  readonly pid: number = process.pid;
  readonly release: string;
  readonly startedAtMs: number = Date.now() - Math.round(process.uptime() * 1000);
  readonly #telemetry: JsonTelemetry;
  readonly #drain: () => void;

  /** `drain` is what SIGTERM does. */
  constructor(release: string, telemetry: JsonTelemetry, drain: () => void) {
    this.release = release;
    this.#telemetry = telemetry;
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
    return this.#telemetry.eventLoopDelay.longestSeconds(1000);
  }

  metrics(): MetricsReading {
    return this.#telemetry.reading();
  }

  kill(): void {
    process.kill(process.pid, 'SIGKILL');
  }

  drain(): void {
    this.#drain();
  }
}
