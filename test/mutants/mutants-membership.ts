import type { Mutant } from './mutants.js';

const DOORKEEPER = 'dist/src/membership/doorkeeper.js';
const LINKS = 'dist/src/membership/member-links.js';
const MEMBERSHIP = 'dist/src/membership/membership.js';
const CLUSTER = 'dist/src/node-cluster.js';

/** Not imported from the simulator: the modules in which bugs are planted would be loaded before that. */
const workload = 'starts';

/** Planted in who may start, who finds whom, and who is counted on. */
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
  {
    name: 'superseded-goes-on',
    why: 'A process whose place another start has taken goes on.',
    file: MEMBERSHIP,
    find: "if (error.code !== 'duplicate-node' || peer === undefined)",
    replace: 'if (this.admitted || peer === undefined)',
    workload,
  },
  {
    name: 'members-not-remembered',
    why: 'A node that starts knows of members only what its epoch and its seeds say.',
    file: 'dist/src/member-records.js',
    find: 'return [...this.#saved.values()];',
    replace: 'return [];',
    workload,
  },
  {
    name: 'moves-not-followed',
    why: 'A member is dialed where its epoch has it, wherever it is.',
    file: LINKS,
    find: 'return parseAddress(candidates[turn % candidates.length]);',
    replace: 'return parseAddress(place.address);',
    workload,
  },
  {
    name: 'silence-not-noticed',
    why: 'A peer is counted on until its connection breaks.',
    file: 'dist/src/membership/link-watch.js',
    find: 'const isSilent = owedMs >= SILENT_MS;',
    replace: 'const isSilent = false;',
    workload,
  },
  {
    name: 'stranger-counted-on',
    why: 'A link carries data whoever is at its other end: the start there may be refused by everybody.',
    file: LINKS,
    find: 'else if (later === 0 && !this.#usable.has(number))',
    replace: 'else if (!this.#usable.has(number))',
    workload,
  },
  {
    name: 'epoch-of-peers-ignored',
    why: 'A node that was away stays in the epoch that it knew.',
    file: CLUSTER,
    find: 'if (epoch !== epochs.current.epoch)',
    replace: 'if (false)',
    workload,
    isSeldomMet: true,
  },
];
