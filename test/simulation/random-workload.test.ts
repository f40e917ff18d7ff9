import test from 'ava';
import { randomRun } from '../harness/random-run.js';

/** MEMDB_SIM_SEED=7 MEMDB_SIM_SEEDS=100 runs the seeds 7 to 106. */
const FIRST = Number(process.env.MEMDB_SIM_SEED ?? 1);
const COUNT = Number(process.env.MEMDB_SIM_SEEDS ?? (process.env.MEMDB_SIM_SEED === undefined ? 25 : 1));

for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
  test(`every promise of plain keys holds under random load and faults (seed ${seed})`, (t) => {
    const run = randomRun(seed);
    const repeat = `MEMDB_SIM_SEED=${seed} npx ava dist/test/simulation/random-workload.test.js`;
    t.deepEqual(run.broken, [], repeat);
    t.true(run.acknowledged > 0 && run.reads > 0, repeat);
  });
}
