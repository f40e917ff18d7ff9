import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { cssColor, operationColor } from '../colors.js';
import type { Sample } from '../documents.js';
import { showRate, showSeconds } from '../format.js';
import type { Theme } from '../theme.js';

const HEIGHT = 220;
const KINDS_SHOWN = 6;

interface Line {
  readonly label: string;
  /** Name of a CSS variable. */
  readonly color: string;
  readonly values: readonly (number | null)[];
  readonly isDashed?: boolean;
}

interface ChartProps {
  readonly samples: readonly Sample[];
  readonly theme: Theme;
}

/** Operations a second, a line for each kind that happened lately. */
export function OperationsChart({ samples, theme }: ChartProps) {
  const kinds = busiest(samples);
  const lines = kinds.map((kind) => ({
    label: kind,
    color: operationColor(kind),
    values: samples.map(({ operations }) => operations[kind] ?? 0),
  }));
  return (
    <section class="card" aria-labelledby="operations-title">
      <h2 id="operations-title">Operations per second</h2>
      <Chart times={samples.map(({ atMs }) => atMs / 1000)} lines={lines} show={showRate} theme={theme} />
    </section>
  );
}

/** How long operations of one kind take. */
export function LatencyChart({ samples, theme }: ChartProps) {
  const [chosen, setChosen] = useState<string>();
  const measured = new Set(samples.flatMap(({ latency }) => Object.keys(latency)));
  const kinds = [...measured].sort();
  const kind = chosen ?? busiest(samples).find((candidate) => measured.has(candidate)) ?? kinds[0] ?? 'get';
  const line = (label: string, read: (point: { p50: number; p99: number }) => number, isDashed: boolean): Line => ({
    label,
    isDashed,
    color: operationColor(kind),
    values: samples.map(({ latency }) => (latency[kind] === undefined ? null : read(latency[kind]))),
  });
  const lines = [line('p50', ({ p50 }) => p50, false), line('p99', ({ p99 }) => p99, true)];
  return (
    <section class="card" aria-labelledby="latency-title">
      <div class="card-head">
        <h2 id="latency-title">Latency</h2>
        <label class="hidden" for="latency-kind">
          Operation
        </label>
        <select id="latency-kind" value={kind} onChange={(event) => setChosen(event.currentTarget.value)}>
          {(kinds.length === 0 ? [kind] : kinds).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
      <Chart times={samples.map(({ atMs }) => atMs / 1000)} lines={lines} show={showSeconds} theme={theme} />
    </section>
  );
}

interface PlotProps {
  /** Unix seconds. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly show: (value: number) => string;
  readonly theme: Theme;
}

function Chart({ times, lines, show, theme }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined as unknown as uPlot);
  const isEmpty = lines.every(({ values }) => values.every((value) => value === null));
  const shape = lines.map(({ label, color }) => `${label}${color}`).join();
  const data = [times, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const made = new uPlot(optionsFor(element.clientWidth, lines, show, isEmpty), data, element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [theme, shape, isEmpty]);
  useEffect(() => plot.current?.setData(data), [times.at(-1), shape]);
  const latest = lines.map(({ label, values }) => `${label} ${show(values.findLast((value) => value !== null) ?? 0)}`);
  return (
    <>
      <div class="chart-place">
        <div ref={place} class="chart" role="img" aria-label={latest.join(', ')} />
        {isEmpty ? <p class="chart-empty muted">Nothing was measured yet.</p> : null}
      </div>
      <ul class="legend inline">
        {lines.map(({ label, color, values, isDashed }) => (
          <li key={label}>
            <span class={`line ${isDashed ? 'dashed' : ''}`} style={{ borderColor: `var(${color})` }} />
            {label} <span class="muted number">{show(values.findLast((value) => value !== null) ?? 0)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function optionsFor(
  width: number,
  lines: readonly Line[],
  show: (value: number) => string,
  isEmpty: boolean,
): uPlot.Options {
  const axis = {
    stroke: cssColor('--muted'),
    grid: { stroke: cssColor('--grid'), width: 1 },
    ticks: { show: false },
    font: `12px ${cssColor('--font')}`,
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    padding: [8, 8, 0, 0],
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(high * 1.1, 1e-6)] } },
    axes: [
      {
        ...axis,
        size: 30,
        space: 80,
        values: (_plot, splits) =>
          splits.map((at) => new Date(at * 1000).toLocaleTimeString(undefined, { hour12: false })),
      },
      { ...axis, size: 64, values: (_plot, splits) => splits.map((value) => (isEmpty ? '' : show(value))) },
    ],
    series: [
      {},
      ...lines.map(({ label, color, isDashed }) => ({
        label,
        stroke: cssColor(color),
        width: 2,
        points: { show: false },
        ...(isDashed === true ? { dash: [6, 4] } : {}),
      })),
    ],
  };
}

function busiest(samples: readonly Sample[]): string[] {
  const totals = new Map<string, number>();
  for (const { operations } of samples) {
    for (const [kind, rate] of Object.entries(operations)) totals.set(kind, (totals.get(kind) ?? 0) + rate);
  }
  const happened = [...totals].filter(([, total]) => total > 0).sort(([, a], [, b]) => b - a);
  const kinds = happened.slice(0, KINDS_SHOWN).map(([kind]) => kind);
  return kinds.length === 0 ? ['get', 'set'] : kinds;
}
