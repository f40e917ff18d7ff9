import { CLIENT_MUTANTS } from './mutants-client.js';
import { COUNTER_MUTANTS } from './mutants-counters.js';
import { CUSTODY_MUTANTS } from './mutants-custody.js';
import { EPOCH_MUTANTS } from './mutants-epochs.js';
import { GOSSIP_MUTANTS } from './mutants-gossip.js';
import { MEMBERSHIP_MUTANTS } from './mutants-membership.js';
import { MOVE_MUTANTS } from './mutants-moves.js';
import { READ_MUTANTS } from './mutants-reads.js';
import { SERIAL_MUTANTS } from './mutants-serial.js';
import { STORAGE_MUTANTS } from './mutants-storage.js';
import { UPKEEP_MUTANTS } from './mutants-upkeep.js';
import { WRITE_MUTANTS } from './mutants-writes.js';

/** A text of the compiled code, and what stands there instead. */
export interface Edit {
  /** The compiled module, from the root of the repository. */
  readonly file: string;
  /** Stands there exactly once; whitespace stands for any whitespace. */
  readonly find: string;
  readonly replace: string;
}

/** One planted bug. */
export interface Mutant extends Edit {
  readonly name: string;
  /** What it gets wrong, in a sentence. */
  readonly why: string;
  /** What is checked in pairs has to go on both sides. */
  readonly also?: readonly Edit[];
  /** The kind of load that shows it soonest; any, as the seed has it, when none is named. */
  readonly workload?: string;
  /** It takes many seeds: `npm run mutants` hunts it, `npm test` does not. */
  readonly isSeldomMet?: true;
}

/** All planted bugs. Each is caught within 500 seeds, or the simulator has a hole. */
export const MUTANTS: readonly Mutant[] = [
  ...WRITE_MUTANTS,
  ...READ_MUTANTS,
  ...STORAGE_MUTANTS,
  ...UPKEEP_MUTANTS,
  ...CUSTODY_MUTANTS,
  ...CLIENT_MUTANTS,
  ...GOSSIP_MUTANTS,
  ...COUNTER_MUTANTS,
  ...MOVE_MUTANTS,
  ...EPOCH_MUTANTS,
  ...MEMBERSHIP_MUTANTS,
  ...SERIAL_MUTANTS,
];

export function mutantOf(name: string): Mutant {
  const mutant = MUTANTS.find((candidate) => candidate.name === name);
  if (mutant === undefined) throw new Error(`there is no mutant ${name}`);
  return mutant;
}
