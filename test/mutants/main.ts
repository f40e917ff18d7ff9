/** `npm run mutants [-- NAME... --seeds K --processes P]`: every planted bug is caught by the simulator (docs/testing.md). */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Hunt, huntMutant, SoundSeeds } from './hunt-mutant.js';
import { MUTANTS } from './mutants.js';

const SEEDS_MAX = 500;
const TEXT_MAX = 160;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals: names } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { seeds: { type: 'string' }, processes: { type: 'string' } },
  });
  const seedsMax = Number(values.seeds ?? SEEDS_MAX);
  const processes = Number(values.processes ?? availableParallelism());
  const unknown = names.filter((name) => !MUTANTS.some((mutant) => mutant.name === name));
  if (unknown.length > 0) {
    console.error(`there is no mutant ${unknown.join(', ')}; there are ${MUTANTS.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  const chosen = names.length === 0 ? MUTANTS : MUTANTS.filter(({ name }) => names.includes(name));
  const sound = new SoundSeeds();
  const unsound = new Set<string>();
  let caught = 0;
  try {
    for (const { name, workload } of chosen) {
      try {
        const hunt = await huntMutant(name, seedsMax, processes, sound);
        if (hunt.caught !== undefined) caught++;
        for (const what of hunt.unsound) unsound.add(what);
        console.log(line(name, workload, seedsMax, hunt));
      } catch (error) {
        console.log(`CANNOT HUNT ${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  } finally {
    sound.close();
  }
  console.log(`${caught} of ${chosen.length} mutants were caught`);
  for (const what of unsound) console.log(`FAILS WITHOUT ANY MUTANT: ${what}`);
  return caught === chosen.length && unsound.size === 0 ? 0 : 1;
}

function line(name: string, workload: string | undefined, seedsMax: number, { caught }: Hunt): string {
  const load = workload === undefined ? '' : ` of the load ${workload}`;
  if (caught === undefined) return `SURVIVED ${name} for ${seedsMax} seeds${load}`;
  const { seed, seeds, broken } = caught;
  return `caught ${name} after ${seeds} seeds, seed ${seed}${load}: ${broken.split('\n')[0].slice(0, TEXT_MAX)}`;
}
