import type { Clock } from '../../src/ports/clock.js';
import type { Counter, Histogram, LogFields, LogLevel, Telemetry } from '../../src/ports/telemetry.js';

/** Log lines kept, the oldest are dropped. */
const LINES_MAX = 2000;

export interface RecordedLine {
  readonly atMs: number;
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

/** Telemetry that tests can look into. */
export class RecordingTelemetry implements Telemetry {
  readonly lines: RecordedLine[] = [];
  /** Called for every line, for instance to print it. */
  onLine: ((line: RecordedLine) => void) | undefined;
  readonly #clock: Clock;
  readonly #counters: Map<string, Counter> = new Map();
  readonly #gauges: Map<string, () => number> = new Map();
  readonly #histograms: Map<string, RecordedHistogram> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  log(level: LogLevel, event: string, fields: LogFields = {}): void {
    const line = { atMs: this.#clock.monotonicMs(), level, event, fields };
    if (this.lines.length === LINES_MAX) this.lines.shift();
    this.lines.push(line);
    this.onLine?.(line);
  }

  counter(name: string, _help: string, labels?: LogFields): Counter {
    return getOrMake(this.#counters, keyOf(name, labels), () => ({ value: 0 }));
  }

  gauge(name: string, _help: string, read: () => number, labels?: LogFields): void {
    this.#gauges.set(keyOf(name, labels), read);
  }

  histogram(name: string, _help: string, labels?: LogFields): Histogram {
    return getOrMake(this.#histograms, keyOf(name, labels), () => new RecordedHistogram());
  }

  /** Value of a counter or gauge, or how often a histogram observed; undefined when nobody registered it. */
  metric(name: string, labels?: LogFields): number | undefined {
    const key = keyOf(name, labels);
    return this.#counters.get(key)?.value ?? this.#gauges.get(key)?.() ?? this.#histograms.get(key)?.count;
  }

  /** How often an event was logged, among the lines kept. */
  logged(event: string): number {
    return this.lines.filter((line) => line.event === event).length;
  }
}

class RecordedHistogram implements Histogram {
  count = 0;
  sumSeconds = 0;

  observe(seconds: number): void {
    this.count++;
    this.sumSeconds += seconds;
  }
}

function keyOf(name: string, labels: LogFields = {}): string {
  const pairs = Object.keys(labels).sort();
  return [name, ...pairs.map((label) => `${label}=${labels[label]}`)].join(' ');
}

function getOrMake<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
