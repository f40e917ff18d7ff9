import type { Machine } from './machine.js';
import type { MissingPeer } from './peers/peer.js';
import { type Bound, keeps, type Row } from './rows/row.js';
import type { Spread } from './statistics.js';

/** Everything a run found out. */
export interface Results {
  readonly machine: Machine;
  readonly rounds: number;
  readonly seconds: number;
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
  readonly missing: readonly MissingPeer[];
}

export function reportText(results: Results): string {
  const { machine, rows } = results;
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const lines = [
    `${machine.cores} cores, ${machine.cpu}, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, load ${machine.loadBefore.toFixed(2)} before`,
    versions.join(', '),
    `median of ${results.rounds} rounds of ${results.seconds} s in alternation (least – greatest); 16-byte keys, 100-byte values`,
    ...machine.warnings.map((warning) => `warning: ${warning}`),
    ...results.missing.map((peer) => `skipped: ${peer.name} is not installed (${peer.install})`),
    ...results.notes,
  ];
  if (rows.length > 0)
    lines.push('', ...figureTable(rows), '', ...cpuTable(rows), '', ...latencyTable(rows), ...chart(rows));
  return `${lines.join('\n')}\n`;
}

function figureTable(rows: readonly Row[]): string[] {
  const head = ['', 'MemDB', 'peer', 'against', 'MemDB / peer', 'floor', 'target', ''];
  return aligned([
    head,
    ...rows.map((row) => [
      row.title,
      figure(row.memdb.median, row.unit),
      figure(row.theirs.median, row.unit),
      row.peer,
      range(row.ratio),
      bound(row.targets.floor, row),
      bound(row.targets.target, row),
      verdict(row),
    ]),
  ]);
}

function cpuTable(rows: readonly Row[]): string[] {
  const measured = rows.filter((row) => row.cpu !== undefined);
  if (measured.length === 0) return [];
  const head = [
    'CPU ns per operation',
    'MemDB',
    'peer',
    'peer / MemDB',
    'target',
    'other end, MemDB',
    'other end, peer',
  ];
  const body = measured.map((row) => [
    row.title,
    nanoseconds(row.cpu?.memdb),
    nanoseconds(row.cpu?.peer),
    row.cpuRatio === undefined ? '' : range(row.cpuRatio),
    row.targets.cpuTarget === undefined ? '' : `≥ ${row.targets.cpuTarget} ×`,
    nanoseconds(row.otherCpu?.memdb),
    nanoseconds(row.otherCpu?.peer),
  ]);
  return [
    ...aligned([head, ...body]),
    'the process under test is the server, with the generator at the other end; in client rows it is the client library',
  ];
}

function latencyTable(rows: readonly Row[]): string[] {
  const body = rows.flatMap((row) => {
    if (row.latency === undefined) return [];
    return (['memdb', 'peer'] as const).map((side) => {
      const latency = row.latency?.[side];
      const values = [latency?.p50Ms, latency?.p90Ms, latency?.p99Ms, latency?.p999Ms, latency?.maxMs];
      const name = side === 'memdb' ? 'MemDB' : row.peer;
      return [row.title, name, ...values.map((value) => (value ?? Number.NaN).toFixed(2))];
    });
  });
  if (body.length === 0) return [];
  return [...aligned([['latency in ms', '', 'p50', 'p90', 'p99', 'p99.9', 'max'], ...body]), ''];
}

/** Characters of the chart for a factor of two, and the smallest factor that it shows. */
const CELLS_PER_DOUBLING = 6;
const CHART_FROM = 0.125;

/** Ratios on a logarithmic axis: `:` marks equality, `|` the target. */
function chart(rows: readonly Row[]): string[] {
  const cell = (ratio: number): number => Math.round(Math.log2(ratio / CHART_FROM) * CELLS_PER_DOUBLING);
  const width = Math.max(...rows.map((row) => row.title.length));
  const bars = rows.map((row) => {
    const target = row.targets.target?.of === 'ratio' ? cell(row.targets.target.value) : -1;
    const end = Math.max(0, cell(row.ratio.median));
    let bar = '';
    for (let at = 0; at <= Math.max(end, target, cell(1)); at++) {
      const mark = at === target ? '|' : at === cell(1) ? ':' : ' ';
      bar += at < end ? (mark === ' ' ? '█' : mark) : mark;
    }
    return `${row.title.padEnd(width)}  ${bar.trimEnd()}  ${times(row.ratio.median)}`;
  });
  return ['MemDB / peer, logarithmic (: equal, | target)', ...bars];
}

function verdict(row: Row): string {
  const { floor, target } = row.targets;
  if (keeps(row, floor) === false) return 'below the floor';
  if (keeps(row, target) === false) return 'target missed';
  return floor === undefined && target === undefined ? '' : 'ok';
}

function bound(limit: Bound | undefined, row: Row): string {
  if (limit === undefined) return '';
  const value = limit.of === 'ratio' ? `${limit.value} ×` : figure(limit.value, row.unit);
  return `${limit.kind === 'at least' ? '≥' : '≤'} ${value}`;
}

function figure(value: number, unit: Row['unit']): string {
  if (Number.isNaN(value)) return 'unknown';
  switch (unit) {
    case 'ops/s':
      return `${Math.round(value).toLocaleString('en')}/s`;
    case 'bytes/key':
      return `${value.toFixed(1)} B`;
    case 'seconds':
      return `${value.toFixed(3)} s`;
  }
}

function nanoseconds(value: Spread | undefined): string {
  return value === undefined || Number.isNaN(value.median) ? '' : Math.round(value.median).toLocaleString('en');
}

function times(value: number): string {
  return `${value.toFixed(2)} ×`;
}

function range(value: Spread): string {
  const least = value.min.toFixed(2);
  const greatest = value.max.toFixed(2);
  return least === greatest ? times(value.median) : `${times(value.median)} (${least} – ${greatest})`;
}

/** Columns padded to their widest cell; the first is text, the others are figures. */
function aligned(table: readonly (readonly string[])[]): string[] {
  const widths = table[0].map((_, column) => Math.max(...table.map((line) => line[column].length)));
  return table.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  );
}
