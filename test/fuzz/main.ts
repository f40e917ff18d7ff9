/**
 * `npm run fuzz -- [--minutes 1] [--target NAME] [--seed N] [--runs N]`: changes bytes and looks whether they do harm. The
 * minutes are for each target. A failure prints its input and the command that repeats it, and ends with 1.
 */
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.js';
import { targets } from './targets.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    runs: { type: 'string', default: 'Infinity' },
    target: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const chosen = targets.filter(({ name }) => values.target === undefined || values.target === name);
if (chosen.length === 0) throw new Error(`--target is one of ${targets.map(({ name }) => name).join(', ')}`);

for (const target of chosen) {
  const end = Date.now() + Number(values.minutes) * 60_000;
  const options = { seed: Number(values.seed), runs: Number(values.runs), until: () => Date.now() > end };
  const { runs, blocks, corpus, failure } = fuzz(target, options);
  console.log(
    `${target.name}: ${runs} inputs, ${blocks} blocks of code reached, ${corpus} inputs kept, seed ${values.seed}`,
  );
  if (failure === undefined) continue;
  console.log(`npm run fuzz -- --target ${target.name} --seed ${values.seed} --runs ${failure.run + 1} --minutes 60`);
  console.log(Buffer.from(failure.input).toString('hex'));
  console.log(failure.error);
  process.exitCode = 1;
}
