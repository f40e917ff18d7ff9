import type { RunReport, SimulateOptions } from './simulate.js';

/** A run of incidents one after the other, in a world of its own. */
export interface IncidentRun {
  readonly world: { readonly nowMs: number; traceHash(): string };
  /** What was found to be wrong. */
  readonly broken: string[];
  readonly lines: readonly string[];
  /** How often each incident happened. */
  readonly counted: Record<string, number>;
  execute(): void;
}

/** Executes such a run, which has so many incidents, and reports it as `npm run sim` shows it. */
export function runIncidents(
  { seed, trace }: SimulateOptions,
  workload: string,
  incidents: number,
  run: IncidentRun,
): RunReport {
  try {
    run.execute();
  } catch (error) {
    run.broken.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return {
    seed,
    workload,
    broken: run.broken,
    trace: trace === undefined ? [] : [...run.lines],
    virtualMs: run.world.nowMs,
    operations: incidents,
    done: incidents,
    unknown: 0,
    faultKinds: [],
    faults: run.counted,
    activity: {},
    hash: run.world.traceHash(),
  };
}
