import { FAULTS, type FaultKind } from '../harness/fault-plan.js';
import { MUST_RISE } from '../harness/profiles.js';
import type { RunReport } from '../harness/simulate.js';

const MS_PER_HOUR = 3_600_000;
/** A kind of fault that was drawn in so many runs and never bit does not work. */
const RUNS_FOR_PROOF = 20;

/** What a number of runs did together. */
export class Summary {
  runs = 0;
  operations = 0;
  done = 0;
  unknown = 0;
  virtualMs = 0;
  readonly failed: RunReport[] = [];
  readonly #faults: Map<string, number> = new Map();
  /** For each kind of fault: runs in which it was drawn, and runs in which it bit. */
  readonly #drawn: Map<string, number> = new Map();
  readonly #bit: Map<string, number> = new Map();
  /** Runs of each load, and those in which a metric rose that must. */
  readonly #loads: Map<string, number> = new Map();
  readonly #rose: Map<string, number> = new Map();

  add(report: RunReport): void {
    this.runs++;
    this.#loads.set(report.workload, (this.#loads.get(report.workload) ?? 0) + 1);
    for (const [metric, count] of Object.entries(report.activity)) {
      const name = `${report.workload}: ${metric}`;
      if (count > 0) this.#rose.set(name, (this.#rose.get(name) ?? 0) + 1);
    }
    this.operations += report.operations;
    this.done += report.done;
    this.unknown += report.unknown;
    this.virtualMs += report.virtualMs;
    if (report.broken.length > 0) this.failed.push(report);
    for (const [fault, count] of Object.entries(report.faults)) {
      this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + count);
    }
    for (const kind of report.faultKinds) {
      this.#drawn.set(kind, (this.#drawn.get(kind) ?? 0) + 1);
      const proofs = FAULTS[kind as FaultKind];
      if (proofs.some((proof) => (report.faults[proof] ?? 0) > 0)) this.#bit.set(kind, (this.#bit.get(kind) ?? 0) + 1);
    }
  }

  /** Kinds of faults that never bit, and of loads that never did what they are for, though there were runs enough. */
  get toothless(): string[] {
    const faults = [...this.#drawn].flatMap(([kind, runs]) =>
      runs >= RUNS_FOR_PROOF && (this.#bit.get(kind) ?? 0) === 0 ? [`the fault ${kind} was drawn and never bit`] : [],
    );
    const loads = [...this.#loads].flatMap(([load, runs]) =>
      (MUST_RISE[load] ?? []).flatMap((metric) =>
        runs >= RUNS_FOR_PROOF && (this.#rose.get(`${load}: ${metric}`) ?? 0) === 0
          ? [`the load ${load} never raised ${metric}`]
          : [],
      ),
    );
    return [...faults, ...loads];
  }

  lines(): string[] {
    const share = ((this.unknown / Math.max(1, this.operations)) * 100).toFixed(2);
    const kinds = [...this.#drawn].sort().map(([kind, runs]) => `${kind} ${this.#bit.get(kind) ?? 0}/${runs}`);
    const loads = [...this.#loads].sort().map(([load, runs]) => `${load} ${runs}`);
    const rose = [...this.#rose].sort().map(([metric, runs]) => `${metric} ${runs}`);
    const faults = [...this.#faults].sort().map(([fault, count]) => `${fault} ${count}`);
    return [
      `${this.runs} seeds, ${(this.virtualMs / MS_PER_HOUR).toFixed(2)} virtual hours, ${this.failed.length} failed`,
      `${this.operations} operations checked, ${this.done} of them succeeded, ${share} % have an unknown outcome`,
      `faults that bit / runs that drew them: ${kinds.join(', ')}`,
      `loads: ${loads.join(', ')}`,
      `runs in which a load did what it is for: ${rose.join(', ')}`,
      `counted: ${faults.join(', ')}`,
    ];
  }
}
