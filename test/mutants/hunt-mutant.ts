import type { SimulateOptions } from '../harness/simulate.js';
import { WorkerPool } from '../simulator/worker-pool.js';

export interface Caught {
  readonly seed: number;
  /** Seeds run until it was caught. */
  readonly seeds: number;
  /** The first promise that it broke. */
  readonly broken: string;
}

/**
 * Runs seeds from 1 on with a planted bug until a promise breaks; undefined when none does in `seedsMax` seeds. Throws
 * when the seed breaks promises without the bug too.
 */
export async function huntMutant(name: string, seedsMax: number, processes: number): Promise<Caught | undefined> {
  const pool = new WorkerPool(processes, name);
  let caught: Caught | undefined;
  let next = 1;
  let seeds = 0;
  const give = (): SimulateOptions | undefined =>
    caught !== undefined || next > seedsMax ? undefined : { seed: next++ };
  try {
    await pool.run(give, ({ seed, broken }) => {
      seeds++;
      if (broken.length > 0) caught ??= { seed, seeds, broken: broken[0] };
    });
  } finally {
    pool.close();
  }
  if (caught !== undefined) await mustBeSound(caught.seed);
  return caught;
}

async function mustBeSound(seed: number): Promise<void> {
  const pool = new WorkerPool(1);
  let isGiven = false;
  const give = (): SimulateOptions | undefined => {
    if (isGiven) return undefined;
    isGiven = true;
    return { seed };
  };
  try {
    await pool.run(give, ({ broken }) => {
      if (broken.length > 0) throw new Error(`seed ${seed} fails without the mutant too: ${broken[0]}`);
    });
  } finally {
    pool.close();
  }
}
