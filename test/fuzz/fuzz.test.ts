import test from 'ava';
import { fuzz } from './fuzz.js';
import { targets } from './targets.js';

const RUNS = 150;
const DAY_MS = 86_400_000;

for (const target of targets) {
  for (const seed of [1, 1000 + Math.floor(Date.now() / DAY_MS)]) {
    test(`bytes do no harm: ${target.name}, ${seed === 1 ? 'the same every time' : 'those of the day'}`, (t) => {
      const { runs, blocks, corpus, failure } = fuzz(target, { seed, runs: RUNS });
      const command = `npm run fuzz -- --target ${target.name} --seed ${seed} --runs ${RUNS}`;
      t.is(failure, undefined, `${command}: ${failure && Buffer.from(failure.input).toString('hex')}`);
      t.is(runs, RUNS);
      t.true(blocks > 0, 'it was looked at what ran');
      t.log(`${blocks} blocks of code reached, ${corpus} inputs kept`);
    });
  }
}
