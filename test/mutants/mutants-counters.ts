import type { Mutant } from './mutants.js';

const ADDS = 'dist/src/replication/counters/counter-adds.js';
const READ = 'dist/src/replication/counters/counter-read.js';
const READS = 'dist/src/replication/counters/counter-reads.js';

/** Planted in counters. */
export const COUNTER_MUTANTS: readonly Mutant[] = [
  {
    name: 'counter-entry-sent-early',
    why: 'A state of an own entry leaves before it is on the device: after a power cut the node goes on below it.',
    workload: 'counters',
    file: 'dist/src/replication/peer-stream.js',
    find: 'if (this.#runSyncLsns[sent] > syncedLsn) break;',
    replace: '',
  },
  {
    name: 'counter-add-acknowledged-early',
    why: 'An add is acknowledged before its entry is on the device.',
    workload: 'counters',
    file: ADDS,
    find: 'const commitLsn = this.#points.of(set, this.#quorums[index], store.syncedLsn);',
    replace: 'const commitLsn = this.#points.of(set, this.#quorums[index], store.lastLsn);',
  },
  {
    name: 'counter-entry-continued-after-refill',
    why: 'A node that lost an entry to damage goes on with what comes back from its peers, or from nothing.',
    workload: 'counters',
    file: 'dist/src/storage/counter-entries.js',
    find: 'this.#generations[partition] = generation;',
    replace: '',
    isSeldomMet: true,
  },
  {
    name: 'counter-entry-without-generation',
    why: 'An entry is known by its node alone, whatever generation the node is in.',
    workload: 'counters',
    file: ADDS,
    find: 'const generation = store.entries.generationOf(partitionOfHash(hash, sets.partitions));',
    replace: 'const generation = 0;',
    isSeldomMet: true,
  },
  {
    name: 'counter-entries-added-up',
    why: 'A read adds up what several replicas hold of one entry, in place of taking the larger.',
    workload: 'counters',
    file: 'dist/src/counters/merged-entries.js',
    find: 'if (at === -1) {',
    replace: 'if (at !== undefined) {',
  },
  {
    name: 'counter-overflow-wraps',
    why: 'A value beyond 64 bits is answered as whatever its lower bits say.',
    workload: 'counters',
    file: 'dist/src/counters/counter-sum.js',
    find: 'return this.high >= -HIGH_END && this.high < HIGH_END;',
    replace: 'return true;',
    isSeldomMet: true,
  },
  {
    name: 'counter-read-of-a-minority',
    why: 'A read at quorum is answered with what the first replica holds.',
    workload: 'counters',
    file: READ,
    find: 'return this.set !== undefined && isEnough(this.set, members, this.#quorum);',
    replace: 'return members !== 0;',
    isSeldomMet: true,
  },
  {
    name: 'counter-read-without-write-back',
    why: 'A read counts an entry that one replica holds, and leaves it there alone: the next read may miss it.',
    workload: 'counters',
    file: READS,
    find: 'if (read.isHeldByEnough) {',
    replace: 'if (read.set !== undefined) {',
    isSeldomMet: true,
  },
  {
    name: 'counter-add-failed-too-late',
    why: 'An add that stands in the log is reported as not applied at its deadline.',
    workload: 'counters',
    file: 'dist/src/replication/counters/counter-errors.js',
    find: "code: 'timeout', outcome: 'unknown',",
    replace: "code: 'timeout', outcome: 'not-applied',",
    isSeldomMet: true,
  },
];
