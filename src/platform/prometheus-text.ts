import { Counter, Gauge, Histogram, type HistogramConfiguration, Registry } from 'prom-client';
import { HISTOGRAM_BOUNDS, type HistogramCell } from './metric-cells.js';
import type { LabelledCell, MetricFamily } from './metric-registry.js';

const PREFIX = 'memdb_';

/**
 * What the metrics say now, as Prometheus reads it: text format 0.0.4, every name under `memdb_`. Loads prom-client,
 * which a start need not wait for.
 */
export async function prometheusText(families: Iterable<MetricFamily>): Promise<string> {
  const registry = new Registry();
  for (const family of families) add(registry, family);
  return await registry.metrics();
}

function add(registry: Registry, family: MetricFamily): void {
  const options = {
    name: PREFIX + family.name,
    help: family.help,
    labelNames: [...family.labelNames],
    registers: [registry],
  };
  switch (family.kind) {
    case 'counter': {
      const counter = new Counter(options);
      for (const { labels, cell } of family.cells.values()) {
        counter.inc(labels, typeof cell === 'function' ? cell() : cell.value);
      }
      break;
    }
    case 'gauge': {
      const gauge = new Gauge(options);
      for (const { labels, cell } of family.cells.values()) gauge.set(labels, cell());
      break;
    }
    case 'histogram':
      registry.registerMetric(new CellHistogram(options, [...family.cells.values()]));
      break;
  }
}

interface Sample {
  readonly metricName: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

/** A prom-client histogram whose counts are kept in cells. */
class CellHistogram extends Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #cells: readonly LabelledCell<HistogramCell>[];

  constructor(options: HistogramConfiguration<string>, cells: readonly LabelledCell<HistogramCell>[]) {
    super({ ...options, buckets: [...HISTOGRAM_BOUNDS], registers: [] });
    this.#name = options.name;
    this.#help = options.help;
    this.#cells = cells;
  }

  /** What the registry calls when it makes text. */
  async getForPromString(): Promise<{ name: string; help: string; type: string; values: Sample[] }> {
    const values = this.#cells.flatMap(({ labels, cell }) => this.#values(labels, cell));
    return { name: this.#name, help: this.#help, type: 'histogram', values };
  }

  #values(labels: LabelledCell<HistogramCell>['labels'], cell: HistogramCell): Sample[] {
    let total = 0;
    const buckets = [...cell.counts].map((count, index) => {
      total += count;
      const le = HISTOGRAM_BOUNDS[index] ?? '+Inf';
      return { metricName: `${this.#name}_bucket`, labels: { le, ...labels }, value: total };
    });
    return [
      ...buckets,
      { metricName: `${this.#name}_sum`, labels: { ...labels }, value: cell.sumSeconds },
      { metricName: `${this.#name}_count`, labels: { ...labels }, value: total },
    ];
  }
}
