import { randomInt } from 'node:crypto';
import test from 'ava';
import { huntMutant, SoundSeeds } from '../mutants/hunt-mutant.js';
import { MUTANTS } from '../mutants/mutants.js';

/** Planted bugs hunted by one run of the tests; `npm run mutants` hunts them all. */
const PART = 4;
const SEEDS_MAX = 500;
/** Those that show in the first few seeds: the others take minutes. */
const soon = MUTANTS.filter(({ isSeldomMet }) => isSeldomMet !== true);
const first = randomInt(soon.length);
const part = [...soon, ...soon].slice(first, first + PART);

const sound = new SoundSeeds();
test.after.always(() => sound.close());

for (const { name, why } of part) {
  test.serial(`the simulator catches the mutant ${name}: ${why}`, async (t) => {
    t.timeout(240_000);
    const { caught, unsound } = await huntMutant(name, SEEDS_MAX, 2, sound);
    t.truthy(caught, `npm run mutants -- ${name}`);
    t.deepEqual(unsound, []);
    if (caught !== undefined) t.log(`seed ${caught.seed}: ${caught.broken.split('\n')[0]}`);
  });
}
