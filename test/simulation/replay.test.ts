import test from 'ava';
import type { RunReport } from '../harness/simulate.js';
import { WorkerPool } from '../simulator/worker-pool.js';

const SEEDS = [11, 12, 13];

async function run(seed: number): Promise<RunReport> {
  const pool = new WorkerPool(1);
  try {
    return await pool.runOne({ seed });
  } finally {
    pool.close();
  }
}

test('two processes that run the same seed do the same, to the last event', async (t) => {
  for (const seed of SEEDS) {
    const [one, two] = await Promise.all([run(seed), run(seed)]);
    t.is(one.hash, two.hash);
    t.deepEqual(one.faults, two.faults);
    t.is(one.operations, two.operations);
    t.regex(one.hash, /^[0-9a-f]{16}$/);
  }
});
