import { SAMPLES_MAX } from '../limits.js';
import { difference, quantile } from './histogram.js';
import type { NodeMetrics } from './node-report.js';

/** Latencies are taken from so many seconds: nodes measure a sample of their operations only. */
const LATENCY_WINDOW = 10;
const OPERATION = /^operations_total\{operation="(\w+)"\}$/;
const LATENCY = /^operation_seconds\{.*operation="(\w+)".*\}$/;

/** One point of the charts. */
export interface Sample {
  readonly atMs: number;
  /** Operations a second, of all nodes, by kind. */
  readonly operations: Readonly<Record<string, number>>;
  /** Seconds, by kind; kinds of which nothing was measured lately are left out. */
  readonly latency: Readonly<Record<string, { readonly p50: number; readonly p99: number }>>;
  /** By node number. */
  readonly nodes: Readonly<Record<number, { readonly operations: number }>>;
}

interface Reading {
  readonly atMs: number;
  readonly metrics: NodeMetrics;
}

/** Turns what nodes have counted so far into what happens a second. */
export class Rates {
  readonly #samples: Sample[] = [];
  readonly #last: Map<number, Reading> = new Map();
  /** The counts of the last seconds, by kind. */
  readonly #recent: ReadonlyMap<string, number[]>[] = [];
  #bounds: readonly number[] = [];

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  get latest(): Sample | undefined {
    return this.#samples.at(-1);
  }

  /** One reading of each node that answered, by number. */
  add(atMs: number, readings: ReadonlyMap<number, NodeMetrics>): void {
    const operations: Record<string, number> = {};
    const nodes: Record<number, { operations: number }> = {};
    const counted = new Map<string, number[]>();
    for (const [number, metrics] of readings) {
      const last = this.#last.get(number);
      this.#last.set(number, { atMs, metrics });
      // The first reading tells nothing about now.
      if (last === undefined) continue;
      const seconds = Math.max(0.001, (atMs - last.atMs) / 1000);
      let total = 0;
      for (const [name, value] of Object.entries(metrics.counters)) {
        const kind = OPERATION.exec(name)?.[1];
        if (kind === undefined) continue;
        const before = last.metrics.counters[name] ?? 0;
        const rate = (value < before ? value : value - before) / seconds;
        operations[kind] = (operations[kind] ?? 0) + rate;
        total += rate;
      }
      nodes[number] = { operations: total };
      this.#bounds = metrics.bounds;
      for (const [name, counts] of Object.entries(metrics.histograms)) {
        const kind = LATENCY.exec(name)?.[1];
        if (kind === undefined) continue;
        addTo(counted, kind, difference(counts, last.metrics.histograms[name]));
      }
    }
    this.#recent.push(counted);
    if (this.#recent.length > LATENCY_WINDOW) this.#recent.shift();
    this.#samples.push({ atMs, operations, latency: this.#latency(), nodes });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  #latency(): Sample['latency'] {
    const sums = new Map<string, number[]>();
    for (const counted of this.#recent) for (const [kind, counts] of counted) addTo(sums, kind, counts);
    const latency: Record<string, { p50: number; p99: number }> = {};
    for (const [kind, counts] of sums) {
      const p50 = quantile(counts, this.#bounds, 0.5);
      const p99 = quantile(counts, this.#bounds, 0.99);
      if (p50 !== undefined && p99 !== undefined) latency[kind] = { p50, p99 };
    }
    return latency;
  }
}

function addTo(sums: Map<string, number[]>, kind: string, counts: readonly number[]): void {
  const sum = sums.get(kind) ?? counts.map(() => 0);
  sums.set(
    kind,
    sum.map((value, index) => value + (counts[index] ?? 0)),
  );
}
