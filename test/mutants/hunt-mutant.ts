import type { RunReport, SimulateOptions } from '../harness/simulate.js';
import { WorkerPool } from '../simulator/worker-pool.js';
import { mutantOf } from './mutants.js';

export interface Caught {
  readonly seed: number;
  /** Seeds run until it was caught. */
  readonly seeds: number;
  /** The first promise that it broke. */
  readonly broken: string;
}

export interface Hunt {
  /** Undefined when nothing broke in all the seeds. */
  readonly caught: Caught | undefined;
  /** Seeds that break promises without the bug too: they say nothing of it, and something of the node. */
  readonly unsound: readonly string[];
}

/** What seeds show without any planted bug, remembered: most hunts end at the same few. */
export class SoundSeeds {
  readonly #pool: WorkerPool = new WorkerPool(1);
  readonly #known: Map<string, string | undefined> = new Map();

  /** The first promise that a run breaks by itself; undefined when it keeps all of them. */
  async brokenBy(options: SimulateOptions): Promise<string | undefined> {
    const name = `${options.workload} ${options.seed}`;
    if (!this.#known.has(name)) this.#known.set(name, (await this.#pool.runOne(options)).broken[0]);
    return this.#known.get(name);
  }

  close(): void {
    this.#pool.close();
  }
}

/**
 * Runs seeds from 1 on with a planted bug until a promise breaks that the same seed keeps without it, in the kind of load
 * that the mutant names.
 */
export async function huntMutant(name: string, seedsMax: number, processes: number, sound: SoundSeeds): Promise<Hunt> {
  const { workload } = mutantOf(name);
  const pool = new WorkerPool(processes, name);
  const unsound: string[] = [];
  let caught: Caught | undefined;
  let next = 1;
  let seeds = 0;
  try {
    while (caught === undefined && next <= seedsMax) {
      const suspects: RunReport[] = [];
      const give = (): SimulateOptions | undefined =>
        suspects.length > 0 || next > seedsMax ? undefined : { seed: next++, workload };
      await pool.run(give, (report) => {
        seeds++;
        if (report.broken.length > 0) suspects.push(report);
      });
      for (const { seed, broken } of suspects) {
        const alone = await sound.brokenBy({ seed, workload });
        if (alone === undefined) caught ??= { seed, seeds, broken: broken[0] };
        else
          unsound.push(
            `npm run sim -- --seed ${seed}${workload === undefined ? '' : ` --workload ${workload}`}: ${alone}`,
          );
      }
    }
  } finally {
    pool.close();
  }
  return { caught, unsound };
}
