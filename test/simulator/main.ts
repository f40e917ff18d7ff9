/** `npm run sim`: random runs of a simulated cluster (docs/testing.md). */
import { randomInt } from 'node:crypto';
import type { RunReport, SimulateOptions } from '../harness/simulate.js';
import { SEED_MAX, type SimOptions, simOptionsOf, USAGE } from './sim-options.js';
import { Summary } from './summary.js';
import { WorkerPool } from './worker-pool.js';

const PROGRESS_MS = 1000;
/** Failures that are shown in full; more are named. */
const FAILURES_SHOWN = 3;
const BROKEN_SHOWN = 10;
const TRACE_LINES_SHOWN = 150;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: SimOptions;
  try {
    options = simOptionsOf(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    console.error(USAGE);
    return 2;
  }
  const first = options.seed ?? randomInt(SEED_MAX - options.seeds);
  const pool = new WorkerPool(Math.min(options.processes, options.seeds));
  try {
    const summary = await runAll(pool, options, first);
    if (options.seeds > 1) for (const line of summary.lines()) console.log(line);
    for (const report of summary.failed.slice(0, FAILURES_SHOWN)) await show(options, report);
    for (const { seed } of summary.failed.slice(FAILURES_SHOWN)) console.log(`failed too: ${command(options, seed)}`);
    for (const what of summary.toothless) console.log(what);
    return summary.failed.length === 0 && summary.toothless.length === 0 ? 0 : 1;
  } finally {
    pool.close();
  }
}

async function runAll(pool: WorkerPool, options: SimOptions, first: number): Promise<Summary> {
  const { seeds, minutes, workload, trace } = options;
  const summary = new Summary();
  const startedMs = performance.now();
  let shownMs = startedMs;
  let next = 0;
  const give = (): SimulateOptions | undefined => {
    if (next === seeds) return undefined;
    return { seed: first + next++, minutes, workload, trace: trace && seeds === 1 ? 'all' : undefined };
  };
  await pool.run(give, (report) => {
    summary.add(report);
    if (report.broken.length > 0 && seeds > 1) {
      console.error(`failed: ${command(options, report.seed)}: ${report.broken[0].split('\n')[0]}`);
    }
    const nowMs = performance.now();
    if (seeds === 1) printOne(report);
    else if (nowMs - shownMs > PROGRESS_MS || summary.runs === seeds) {
      shownMs = nowMs;
      const perMinute = ((summary.runs / (nowMs - startedMs)) * 60_000).toFixed(0);
      console.error(
        `${summary.runs}/${seeds} seeds (from ${first}), ${summary.failed.length} failed, ${perMinute} a minute`,
      );
    }
  });
  return summary;
}

function printOne(report: RunReport): void {
  for (const line of report.trace) console.log(line);
  const { seed, workload, operations, done, unknown, virtualMs, hash, faultKinds } = report;
  console.log(`seed ${seed}, workload ${workload}, faults: ${faultKinds.join(', ')}`);
  console.log(`${operations} operations, ${done} succeeded, ${unknown} unknown; ${(virtualMs / 1000).toFixed(1)} s`);
  console.log(`trace hash ${hash}`);
}

/** Runs a failed seed once more, now keeping what happens, and prints what happened around the failure. */
async function show(options: SimOptions, report: RunReport): Promise<void> {
  const { seed } = report;
  console.log(`\nFAILED: ${command(options, seed)}`);
  for (const text of report.broken.slice(0, BROKEN_SHOWN)) console.log(`  ${text}`);
  if (report.broken.length > BROKEN_SHOWN) console.log(`  and ${report.broken.length - BROKEN_SHOWN} more`);
  if (options.trace) return;
  const again = new WorkerPool(1);
  try {
    const { minutes, workload } = options;
    const { trace, hash } = await again.runOne({ seed, minutes, workload, trace: 'around' });
    if (hash !== report.hash) console.log(`  NOT REPRODUCED: trace hash ${hash} instead of ${report.hash}`);
    for (const line of trace.slice(-TRACE_LINES_SHOWN)) console.log(`  ${line}`);
  } finally {
    again.close();
  }
}

function command({ minutes, workload }: SimOptions, seed: number): string {
  const rest = [
    ...(minutes === undefined ? [] : [`--minutes ${minutes}`]),
    ...(workload === undefined ? [] : [`--workload ${workload}`]),
  ];
  return ['npm run sim -- --seed', seed, ...rest].join(' ');
}
