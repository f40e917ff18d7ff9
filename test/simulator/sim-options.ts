import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { PROFILES } from '../harness/profiles.js';
import { CONTEST_WORKLOAD } from '../harness/simulate-contest.js';
import { GOSSIP_WORKLOAD } from '../harness/simulate-gossip.js';
import { STARTS_WORKLOAD } from '../harness/simulate-starts.js';

const WORKLOADS: readonly string[] = [...Object.keys(PROFILES), GOSSIP_WORKLOAD, CONTEST_WORKLOAD, STARTS_WORKLOAD];

export const USAGE: string = `npm run sim -- [options]
  --seed N         run this seed alone (with --seeds: begin there)
  --seeds K        run K seeds; default 200, fresh ones unless --seed says where to begin
  --minutes M      virtual minutes of load in each run; default 0.1
  --workload NAME  ${WORKLOADS.join(', ')}; default: drawn from the seed
  --trace          with --seed: print all that happens
  --processes P    default: one for each core`;

export interface SimOptions {
  readonly seed: number | undefined;
  readonly seeds: number;
  readonly minutes: number | undefined;
  readonly workload: string | undefined;
  readonly trace: boolean;
  readonly processes: number;
}

const SEEDS = 200;
/** Seeds are whole numbers below this. */
export const SEED_MAX: number = 2 ** 31;

/** Throws an Error with a sentence for what cannot be. */
export function simOptionsOf(args: readonly string[]): SimOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      minutes: { type: 'string' },
      workload: { type: 'string' },
      trace: { type: 'boolean' },
      processes: { type: 'string' },
    },
  });
  const { workload } = values;
  if (workload !== undefined && !WORKLOADS.includes(workload)) {
    throw new Error(`there is no workload ${workload}; there are ${WORKLOADS.join(', ')}`);
  }
  const seed = values.seed === undefined ? undefined : whole('--seed', values.seed, 0);
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
  if (minutes !== undefined && !(minutes > 0)) throw new Error(`--minutes must be above 0, not ${values.minutes}`);
  return {
    seed,
    seeds: values.seeds === undefined ? (seed === undefined ? SEEDS : 1) : whole('--seeds', values.seeds, 1),
    minutes,
    workload,
    trace: values.trace === true,
    processes: values.processes === undefined ? availableParallelism() : whole('--processes', values.processes, 1),
  };
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value >= SEED_MAX) {
    throw new Error(`${name} must be a whole number from ${least}, not ${text}`);
  }
  return value;
}
