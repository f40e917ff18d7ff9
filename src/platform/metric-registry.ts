import { strict as assert } from 'node:assert';
import type { MetricsReading } from '../ports/host-process.js';
import type { LogFields } from '../ports/telemetry.js';
import { CounterCell, HISTOGRAM_BOUNDS, HistogramCell } from './metric-cells.js';

export type MetricLabels = Readonly<Record<string, string>>;

/** One set of labels, and what is counted under it. */
export interface LabelledCell<Cell> {
  readonly labels: MetricLabels;
  cell: Cell;
}

interface Family<Cell> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  /** By the text of the labels. */
  readonly cells: Map<string, LabelledCell<Cell>>;
}

/** All that carries one name. Gauges and some counters are read when somebody asks. */
export type MetricFamily =
  | ({ readonly kind: 'counter' } & Family<CounterCell | (() => number)>)
  | ({ readonly kind: 'gauge' } & Family<() => number>)
  | ({ readonly kind: 'histogram' } & Family<HistogramCell>);

type FamilyOf<Kind> = Extract<MetricFamily, { readonly kind: Kind }>;

/**
 * The metrics of a process. Owners count in plain fields, which keeps prom-client's 130 ns for an observation off the hot
 * paths; it is loaded, and reads the fields, when somebody asks for text.
 */
export class MetricRegistry {
  readonly #families: Map<string, MetricFamily> = new Map();

  /** The same name and labels give the same counter again. */
  counter(name: string, help: string, labels: LogFields = {}): CounterCell {
    const cell = cellOf(this.#family('counter', name, help, labels), labels, () => new CounterCell());
    assert(typeof cell !== 'function', `the counter ${name} is one that is read`);
    return cell;
  }

  /** A counter that the system keeps: read when metrics are collected. Once for each name. */
  readCounter(name: string, help: string, read: () => number): void {
    assert(!this.#families.has(name), `the metric ${name} exists already`);
    cellOf(this.#family('counter', name, help, {}), {}, () => read);
  }

  /** The same name and labels replace what is read. */
  gauge(name: string, help: string, read: () => number, labels: LogFields = {}): void {
    const { cells } = this.#family('gauge', name, help, labels);
    cells.set(keyOf(labels), { labels: toLabels(labels), cell: read });
  }

  /** The same name and labels give the same histogram again. */
  histogram(name: string, help: string, labels: LogFields = {}): HistogramCell {
    return cellOf(this.#family('histogram', name, help, labels), labels, () => new HistogramCell());
  }

  /** All metrics as plain numbers. */
  reading(): MetricsReading {
    const counters: Record<string, number> = {};
    const gauges: Record<string, number> = {};
    const histograms: Record<string, number[]> = {};
    for (const family of this.#families.values()) {
      switch (family.kind) {
        case 'counter':
          for (const { labels, cell } of family.cells.values()) {
            counters[nameOf(family.name, labels)] = typeof cell === 'function' ? cell() : cell.value;
          }
          break;
        case 'gauge':
          for (const { labels, cell } of family.cells.values()) {
            // JSON knows no other numbers.
            const value = cell();
            if (Number.isFinite(value)) gauges[nameOf(family.name, labels)] = value;
          }
          break;
        case 'histogram':
          for (const { labels, cell } of family.cells.values()) {
            histograms[nameOf(family.name, labels)] = [...cell.counts];
          }
          break;
      }
    }
    return { counters, gauges, histograms, bounds: HISTOGRAM_BOUNDS };
  }

  /** Prometheus text format 0.0.4. */
  async text(): Promise<string> {
    const { prometheusText } = await import('./prometheus-text.js');
    return await prometheusText(this.#families.values());
  }

  #family<Kind extends MetricFamily['kind']>(
    kind: Kind,
    name: string,
    help: string,
    labels: LogFields,
  ): FamilyOf<Kind> {
    const labelNames = Object.keys(toLabels(labels)).sort();
    let family = this.#families.get(name);
    if (family === undefined) {
      family = { kind, name, help, labelNames, cells: new Map() } as MetricFamily;
      this.#families.set(name, family);
    }
    assert(family.kind === kind, `the metric ${name} exists already, as a ${family.kind}`);
    assert.deepEqual(labelNames, family.labelNames, `the metric ${name} has other labels elsewhere`);
    return family as FamilyOf<Kind>;
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

function toLabels(labels: LogFields): MetricLabels {
  const kept = Object.entries(labels).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}

/** As in `operations_total{operation="get"}`, with the labels in the order of their names. */
function nameOf(name: string, labels: MetricLabels): string {
  const pairs = Object.entries(labels).sort();
  return pairs.length === 0 ? name : `${name}{${pairs.map(([label, value]) => `${label}="${value}"`).join(',')}}`;
}

function keyOf(labels: LogFields): string {
  return JSON.stringify(Object.entries(toLabels(labels)).sort());
}
