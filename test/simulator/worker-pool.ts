import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { RunReport, SimulateOptions } from '../harness/simulate.js';

const WORKER = fileURLToPath(new URL('./sim-worker.js', import.meta.url));

/** Processes that run seeds side by side. */
export class WorkerPool {
  readonly #workers: ChildProcess[];
  /** Those that have loaded everything. */
  readonly #ready: WeakSet<ChildProcess> = new WeakSet();

  constructor(processes: number, mutant?: string) {
    this.#workers = Array.from({ length: processes }, () => fork(WORKER, mutant === undefined ? [] : [mutant]));
  }

  /**
   * Runs what `next` gives, each on the first process that is free, and hands every report to `onReport`, until `next`
   * has nothing more. Rejects when a process ends by itself.
   */
  async run(next: () => SimulateOptions | undefined, onReport: (report: RunReport) => void): Promise<void> {
    await Promise.all(this.#workers.map((worker) => this.#runOn(worker, next, onReport)));
  }

  /** Runs one seed. */
  async runOne(options: SimulateOptions): Promise<RunReport> {
    const given = [options];
    const reports: RunReport[] = [];
    await this.run(
      () => given.pop(),
      (report) => reports.push(report),
    );
    return reports[0];
  }

  close(): void {
    for (const worker of this.#workers) worker.kill();
  }

  #runOn(
    worker: ChildProcess,
    next: () => SimulateOptions | undefined,
    onReport: (report: RunReport) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      let options: SimulateOptions | undefined;
      const proceed = (): void => {
        options = next();
        if (options === undefined) {
          worker.removeAllListeners();
          resolve();
        } else worker.send(options);
      };
      worker.on('message', (message: RunReport | 'ready') => {
        if (message === 'ready') this.#ready.add(worker);
        else onReport(message);
        proceed();
      });
      worker.on('exit', (code, signal) => {
        reject(new Error(`a process of the simulator ended (${signal ?? code}) at seed ${options?.seed ?? 'none'}`));
      });
      if (this.#ready.has(worker)) proceed();
    });
  }
}
