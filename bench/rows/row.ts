import type { Percentiles } from '../generators/histogram.js';
import type { RunResult } from '../generators/jobs.js';
import { ratios, type Spread, spread } from '../statistics.js';

/** A bound that a row has to keep. */
export interface Bound {
  readonly kind: 'at least' | 'at most';
  readonly value: number;
  /** What it bounds: MemDB's figure over the peer's, or MemDB's figure itself. */
  readonly of: 'ratio' | 'figure';
}

/** What performance.md asks for, and the least that a release may show. */
export interface Targets {
  readonly target?: Bound;
  readonly floor?: Bound;
  /** The least (CPU of the peer) / (CPU of MemDB). */
  readonly cpuTarget?: number;
}

export interface CpuPerOperation {
  readonly memdb: Spread;
  readonly peer: Spread;
}

/** One line of the table: a figure of MemDB's beside the same figure of a peer. */
export interface Row {
  readonly title: string;
  readonly unit: 'ops/s' | 'bytes/key' | 'seconds';
  readonly peer: string;
  readonly memdb: Spread;
  readonly theirs: Spread;
  /** MemDB over peer, round by round. */
  readonly ratio: Spread;
  /** Nanoseconds a request costs the process under test (the server, or the client in the client rows). */
  readonly cpu?: CpuPerOperation;
  /** Peer over MemDB, round by round: above 1, MemDB is cheaper. */
  readonly cpuRatio?: Spread;
  /** Nanoseconds of the process at the other end (the generator, or the server in the client rows). */
  readonly otherCpu?: CpuPerOperation;
  readonly latency?: { readonly memdb: Percentiles; readonly peer: Percentiles };
  readonly targets: Targets;
}

/** Rounds of two sides, in alternation. */
export interface Rounds {
  readonly memdb: readonly RunResult[];
  readonly peer: readonly RunResult[];
}

/** Whose CPU the table sets beside the wall clock: the server under a generator, or a client library. */
export type UnderTest = 'server' | 'client';

export function rowOfRounds(
  title: string,
  peer: string,
  rounds: Rounds,
  targets: Targets,
  underTest: UnderTest = 'server',
): Row {
  const rates = sides(rounds, (run) => run.operations / run.seconds);
  const server = sides(rounds, (run) => run.serverCpuNs / run.operations);
  const generator = sides(rounds, (run) => run.generatorCpuNs / run.operations);
  const cpu = underTest === 'server' ? server : generator;
  const latency = latencies(rounds);
  return {
    title,
    unit: 'ops/s',
    peer,
    memdb: spread(rates.memdb),
    theirs: spread(rates.peer),
    ratio: spread(ratios(rates.memdb, rates.peer)),
    cpu: spreads(cpu),
    cpuRatio: spread(ratios(cpu.peer, cpu.memdb)),
    otherCpu: spreads(underTest === 'server' ? generator : server),
    ...(latency === undefined ? {} : { latency }),
    targets,
  };
}

export function atLeast(ratio: number): Bound {
  return { kind: 'at least', value: ratio, of: 'ratio' };
}
export function atMost(value: number, of: Bound['of']): Bound {
  return { kind: 'at most', value, of };
}

/** Whether the row's median keeps the bound; undefined without one. */
export function keeps(row: Row, bound: Bound | undefined): boolean | undefined {
  if (bound === undefined) return undefined;
  const value = bound.of === 'ratio' ? row.ratio.median : row.memdb.median;
  return bound.kind === 'at least' ? value >= bound.value : value <= bound.value;
}

interface BySide {
  readonly memdb: readonly number[];
  readonly peer: readonly number[];
}

function sides(rounds: Rounds, figure: (run: RunResult) => number): BySide {
  return { memdb: rounds.memdb.map(figure), peer: rounds.peer.map(figure) };
}

function spreads(values: BySide): CpuPerOperation {
  return { memdb: spread(values.memdb), peer: spread(values.peer) };
}

/** Latency of the round in the middle of each side, by its 99th percentile. */
function latencies(rounds: Rounds): Row['latency'] {
  const middle = (runs: readonly RunResult[]): Percentiles | undefined => {
    const known = runs.map((run) => run.latency).filter((latency) => latency !== undefined);
    return known.sort((a, b) => a.p99Ms - b.p99Ms)[known.length >> 1];
  };
  const [memdb, peer] = [middle(rounds.memdb), middle(rounds.peer)];
  return memdb === undefined || peer === undefined ? undefined : { memdb, peer };
}
