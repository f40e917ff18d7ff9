import test from 'ava';
import { simulate } from '../harness/simulate.js';

const SEEDS = Array.from({ length: 25 }, (_, index) => index + 1);

for (const seed of SEEDS) {
  test(`every promise of plain keys holds under random load and faults (seed ${seed})`, async (t) => {
    const { broken } = await simulate({ seed });
    t.deepEqual(broken, [], `npm run sim -- --seed ${seed}`);
  });
}
