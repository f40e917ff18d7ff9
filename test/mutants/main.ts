/** `npm run mutants [-- NAME... --seeds K --processes P]`: every planted bug is caught by the simulator (docs/testing.md). */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { huntMutant } from './hunt-mutant.js';
import { MUTANTS } from './mutants.js';

const SEEDS_MAX = 500;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals: names } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { seeds: { type: 'string' }, processes: { type: 'string' } },
  });
  const seedsMax = Number(values.seeds ?? SEEDS_MAX);
  const processes = Number(values.processes ?? availableParallelism());
  const chosen = names.length === 0 ? MUTANTS : MUTANTS.filter(({ name }) => names.includes(name));
  if (chosen.length === 0) throw new Error(`there is no such mutant; there are ${MUTANTS.map(({ name }) => name)}`);
  const survivors: string[] = [];
  for (const { name } of chosen) {
    const caught = await huntMutant(name, seedsMax, processes);
    if (caught === undefined) survivors.push(name);
    console.log(
      caught === undefined
        ? `SURVIVED ${name} for ${seedsMax} seeds`
        : `caught ${name} after ${caught.seeds} seeds, seed ${caught.seed}: ${caught.broken.split('\n')[0].slice(0, 160)}`,
    );
  }
  console.log(`${chosen.length - survivors.length} of ${chosen.length} mutants were caught`);
  return survivors.length === 0 ? 0 : 1;
}
