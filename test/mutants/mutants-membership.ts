import type { Mutant } from './mutants.js';

const DOORKEEPER = 'dist/src/membership/doorkeeper.js';

/** Not imported from the simulator: the modules in which bugs are planted would be loaded before that. */
const workload = 'starts';

/** Planted in who may start. */
export const MEMBERSHIP_MUTANTS: readonly Mutant[] = [
  {
    name: 'no-introduction-before-the-first-answer',
    why: 'A node that starts serves before anybody confirmed that it is still itself.',
    file: 'dist/src/membership/introduction.js',
    find: 'if (this.admitted || this.#votes() < majorityOf(this.#options.voters().length))',
    replace: 'if (this.admitted)',
    workload,
  },
  {
    name: 'log-end-ignored',
    why: 'A directory that was put back from a copy is welcome (counterexample 17).',
    file: DOORKEEPER,
    find: 'profile.logEnd >= held.profile.logEnd)',
    replace: 'profile.logEnd >= 0)',
    workload,
  },
  {
    name: 'earlier-start-not-asked',
    why: 'A later start of a node is welcome while the earlier one answers.',
    file: DOORKEEPER,
    find: 'if (held !== undefined && held.bootNonce !== self.bootNonce)',
    replace: 'if (false)',
    workload,
  },
  {
    name: 'address-of-another-welcome',
    why: 'A node is welcome at the address of another one that answers.',
    file: DOORKEEPER,
    find: 'return profile.address === own.profile.address ? addressTaken(own) : undefined;',
    replace: 'return undefined;',
    workload,
  },
];
