import { destination, type Logger, pino, stdTimeFunctions } from 'pino';
import type { MetricsReading } from '../ports/host-process.js';
import type { Counter, Histogram, LogFields, LogLevel, Telemetry } from '../ports/telemetry.js';
import { EventLoopDelay } from './event-loop-delay.js';
import { prettyLine } from './log-line.js';
import { MetricRegistry } from './metric-registry.js';
import { registerProcessMetrics } from './process-metrics.js';

/** Log lines that wait for a slow reader; beyond this the newest are dropped rather than memory filled. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;
const STDERR = 2;

export interface JsonTelemetryOptions {
  /** Default `info`. */
  readonly level?: LogLevel;
  /** `json` (default): one JSON object a line. `pretty`: for people. */
  readonly format?: 'json' | 'pretty';
  /** Fields of every line, such as the name of the node. */
  readonly base?: LogFields;
  /** Gets the lines, newline included. Default: standard error. */
  readonly write?: (line: string) => void;
}

/**
 * Logs as JSON lines, each with `level`, `time`, `event` and the given fields; metrics in the Prometheus text format
 * under the prefix `memdb_`.
 */
export class JsonTelemetry implements Telemetry {
  readonly eventLoopDelay: EventLoopDelay = new EventLoopDelay();
  readonly #logger: Logger;
  readonly #registry: MetricRegistry = new MetricRegistry();
  readonly #flush: () => void;

  constructor(options: JsonTelemetryOptions = {}) {
    const output = options.write === undefined ? standardError() : { write: options.write, flush: () => {} };
    const write = options.format === 'pretty' ? (line: string) => output.write(prettyLine(line)) : output.write;
    this.#flush = output.flush;
    this.#logger = pino(
      {
        level: options.level ?? 'info',
        base: { ...options.base },
        messageKey: 'message',
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      { write },
    );
    registerProcessMetrics(this.#registry, this.eventLoopDelay);
  }

  log(level: LogLevel, event: string, fields?: LogFields): void {
    this.#logger[level]({ event, ...fields });
  }

  counter(name: string, help: string, labels?: LogFields): Counter {
    return this.#registry.counter(name, help, labels);
  }

  gauge(name: string, help: string, read: () => number, labels?: LogFields): void {
    this.#registry.gauge(name, help, read, labels);
  }

  histogram(name: string, help: string, labels?: LogFields): Histogram {
    return this.#registry.histogram(name, help, labels);
  }

  /** All metrics as Prometheus reads them. */
  metricsText(): Promise<string> {
    return this.#registry.text();
  }

  /** All metrics as plain numbers. */
  reading(): MetricsReading {
    return this.#registry.reading();
  }

  /** Changes what is logged from now on. */
  setLevel(level: LogLevel): void {
    this.#logger.level = level;
  }

  /** Writes out what waits, blocking. Call before the process ends. */
  flush(): void {
    this.#flush();
  }
}

function standardError(): { readonly write: (line: string) => void; readonly flush: () => void } {
  const stream = destination({ dest: STDERR, sync: false, maxLength: WAITING_BYTES_MAX });
  // A reader that went away (a closed pipe) must not end the node.
  stream.on('error', () => {});
  return {
    write: (line) => stream.write(line),
    flush: () => {
      try {
        stream.flushSync();
      } catch {
        // Nobody reads: there is nowhere left to say so.
      }
    },
  };
}
