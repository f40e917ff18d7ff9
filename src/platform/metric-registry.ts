import { strict as assert } from 'node:assert';
import { Gauge, Counter as PrometheusCounter, Histogram as PrometheusHistogram, Registry } from 'prom-client';
import type { LogFields } from '../ports/telemetry.js';
import { CounterCell, HISTOGRAM_BOUNDS, HistogramCell } from './metric-cells.js';

const PREFIX = 'memdb_';

type Labels = Record<string, string | number>;
type Kind = 'counter' | 'gauge' | 'histogram';

/** All that carries one name: one cell for each set of labels. */
interface Family<Cell> {
  readonly labelNames: readonly string[];
  readonly cells: Map<string, { readonly labels: Labels; cell: Cell }>;
}

/**
 * The metrics of a process. Owners count in plain fields; prom-client reads them when it is asked for text, which
 * keeps its 130 ns for an observation off the hot paths.
 */
export class MetricRegistry {
  readonly #registry: Registry = new Registry();
  readonly #kinds: Map<string, Kind> = new Map();
  readonly #counters: Map<string, Family<CounterCell>> = new Map();
  readonly #gauges: Map<string, Family<() => number>> = new Map();
  readonly #histograms: Map<string, Family<HistogramCell>> = new Map();

  /** The same name and labels give the same counter again. */
  counter(name: string, help: string, labels: LogFields = {}): CounterCell {
    const family = this.#family(this.#counters, 'counter', name, labels, (cells, labelNames) => {
      new PrometheusCounter({
        name: PREFIX + name,
        help,
        labelNames,
        registers: [this.#registry],
        collect() {
          this.reset();
          for (const { labels, cell } of cells.values()) this.inc(labels, cell.value);
        },
      });
    });
    return cellOf(family, labels, () => new CounterCell());
  }

  /** A counter that the system keeps: read when metrics are collected. Once for each name. */
  readCounter(name: string, help: string, read: () => number): void {
    this.#claim(name, 'counter');
    new PrometheusCounter({
      name: PREFIX + name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  /** The same name and labels replace what is read. */
  gauge(name: string, help: string, read: () => number, labels: LogFields = {}): void {
    const family = this.#family(this.#gauges, 'gauge', name, labels, (cells, labelNames) => {
      new Gauge({
        name: PREFIX + name,
        help,
        labelNames,
        registers: [this.#registry],
        collect() {
          this.reset();
          for (const { labels, cell } of cells.values()) this.set(labels, cell());
        },
      });
    });
    family.cells.set(keyOf(labels), { labels: toLabels(labels), cell: read });
  }

  /** The same name and labels give the same histogram again. */
  histogram(name: string, help: string, labels: LogFields = {}): HistogramCell {
    const family = this.#family(this.#histograms, 'histogram', name, labels, (cells, labelNames) => {
      this.#registry.registerMetric(new CellHistogram(PREFIX + name, help, labelNames, cells));
    });
    return cellOf(family, labels, () => new HistogramCell());
  }

  /** Prometheus text format 0.0.4. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #family<Cell>(
    families: Map<string, Family<Cell>>,
    kind: Kind,
    name: string,
    labels: LogFields,
    register: (cells: Family<Cell>['cells'], labelNames: string[]) => void,
  ): Family<Cell> {
    const labelNames = Object.keys(toLabels(labels)).sort();
    let family = families.get(name);
    if (family === undefined) {
      this.#claim(name, kind);
      family = { labelNames, cells: new Map() };
      register(family.cells, labelNames);
      families.set(name, family);
    }
    assert.deepEqual(labelNames, family.labelNames, `the metric ${name} has other labels elsewhere`);
    return family;
  }

  #claim(name: string, kind: Kind): void {
    assert(!this.#kinds.has(name), `the metric ${name} exists already, as a ${this.#kinds.get(name)}`);
    this.#kinds.set(name, kind);
  }
}

interface Sample {
  readonly metricName: string;
  readonly labels: Labels;
  readonly value: number;
}

/** A prom-client histogram whose counts are kept in cells. */
class CellHistogram extends PrometheusHistogram {
  readonly #name: string;
  readonly #help: string;
  readonly #cells: Family<HistogramCell>['cells'];

  constructor(name: string, help: string, labelNames: string[], cells: Family<HistogramCell>['cells']) {
    super({ name, help, labelNames, buckets: [...HISTOGRAM_BOUNDS], registers: [] });
    this.#name = name;
    this.#help = help;
    this.#cells = cells;
  }

  /** What the registry calls when it makes text. */
  async getForPromString(): Promise<{ name: string; help: string; type: string; values: Sample[] }> {
    const values = [...this.#cells.values()].flatMap(({ labels, cell }) => this.#values(labels, cell));
    return { name: this.#name, help: this.#help, type: 'histogram', values };
  }

  #values(labels: Labels, cell: HistogramCell): Sample[] {
    let total = 0;
    const buckets = [...cell.counts].map((count, index) => {
      total += count;
      const le = HISTOGRAM_BOUNDS[index] ?? '+Inf';
      return { metricName: `${this.#name}_bucket`, labels: { le, ...labels }, value: total };
    });
    return [
      ...buckets,
      { metricName: `${this.#name}_sum`, labels, value: cell.sumSeconds },
      { metricName: `${this.#name}_count`, labels, value: total },
    ];
  }
}

function cellOf<Cell>(family: Family<Cell>, labels: LogFields, make: () => Cell): Cell {
  const key = keyOf(labels);
  let entry = family.cells.get(key);
  if (entry === undefined) {
    entry = { labels: toLabels(labels), cell: make() };
    family.cells.set(key, entry);
  }
  return entry.cell;
}

function toLabels(labels: LogFields): Labels {
  const kept = Object.entries(labels).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}

function keyOf(labels: LogFields): string {
  return JSON.stringify(Object.entries(toLabels(labels)).sort());
}
