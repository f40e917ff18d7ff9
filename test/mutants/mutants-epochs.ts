import type { Mutant } from './mutants.js';

/** Planted in how epochs are decided. */
export const EPOCH_MUTANTS: readonly Mutant[] = [
  {
    name: 'epoch-vote-before-sync',
    why: 'A voter answers before its vote is on the device.',
    workload: 'contest',
    file: 'dist/src/topology/epoch-vote.js',
    find: 'this.#store.syncNow(done);',
    replace: 'done();',
    isSeldomMet: true,
  },
  {
    name: 'epoch-used-before-sync',
    why: 'An epoch is in force before it is on the device.',
    workload: 'contest',
    file: 'dist/src/topology/epochs.js',
    find: 'store.syncNow(() => this.#enter(topology, encoded));',
    replace: 'this.#enter(topology, encoded);',
    isSeldomMet: true,
  },
  {
    name: 'epoch-accepted-value-forgotten',
    why: 'A proposer goes on with its own value, although a voter has accepted another one.',
    workload: 'contest',
    file: 'dist/src/topology/epoch-proposer.js',
    find: 'const value = round.highest?.value ?? wanted.encoded;',
    replace: 'const value = wanted.encoded;',
  },
  {
    name: 'joiners-vote-on-epochs',
    why: 'Nodes that are joining vote: when they die, not even an abort is possible.',
    workload: 'contest',
    file: 'dist/src/topology/epoch-roles.js',
    find: "standing === 'member').map",
    replace: "standing !== 'departing').map",
    isSeldomMet: true,
  },
];
