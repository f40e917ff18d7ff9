import test from 'ava';
import { damageSample } from '../damage/damage-sample.js';
import { SAMPLE_NAMES } from '../damage/log-sample.js';

/** All damages are `npm run recovery-exhaustive`; here each 193rd, always the same ones and, day by day, others. */
const PARTS = 193;
const DAY_MS = 86_400_000;

for (const name of SAMPLE_NAMES) {
  for (const part of [1, 2 + (Math.floor(Date.now() / DAY_MS) % (PARTS - 1))]) {
    const command = `npm run recovery-exhaustive -- --sample ${name} --part ${part} --parts ${PARTS}`;
    test(`a damaged log is recovered exactly or refused with file and offset: ${name}, ${part === 1 ? 'the same part every time' : 'the part of the day'}`, (t) => {
      const { tried, refused, recovered, wrong } = damageSample(name, { part, parts: PARTS });
      t.deepEqual(wrong, [], command);
      t.true(refused > 0 && recovered > 0);
      t.log(`${tried} damages, ${refused} refused, ${recovered} recovered (${command})`);
    });
  }
}
