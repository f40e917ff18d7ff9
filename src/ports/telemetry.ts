export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Logs and metrics. Calls never throw and never block. */
export interface Telemetry {
  /** `event` is a stable kebab-case name; the sentence for a person goes into `fields.message`. */
  log(level: LogLevel, event: string, fields?: LogFields): void;
  /** Registers a counter (Prometheus: only grows). `name` carries the unit and ends in `_total`. */
  counter(name: string, help: string, labels?: LogFields): Counter;
  /** Registers a gauge that is read when metrics are collected. */
  gauge(name: string, help: string, read: () => number, labels?: LogFields): void;
  /** Registers a histogram of seconds. */
  histogram(name: string, help: string, labels?: LogFields): Histogram;
}

export interface Counter {
  /** Hot paths add to this field; it is read when metrics are collected. */
  value: number;
}

export interface Histogram {
  observe(seconds: number): void;
}
