import type { Mutant } from './mutants.js';

const COORDINATOR = 'dist/src/replication/read-coordinator.js';

/** Planted in the way of a read. */
export const READ_MUTANTS: readonly Mutant[] = [
  {
    name: 'write-back-skipped',
    why: 'A quorum read returns a version that only one replica may hold.',
    file: COORDINATOR,
    find: "if (operation.phase === 'write-back' && operation.isEnough(operation.holders))",
    replace: "if (operation.phase === 'write-back')",
  },
  {
    name: 'read-answered-by-one',
    why: 'A quorum read is content with its own version.',
    file: COORDINATOR,
    find: 'if (!operation.isEnough(operation.answered))',
    replace: 'if (operation.answered === 0)',
  },
  {
    name: 'repair-counts-when-refused',
    why: 'A replica that could not store the repair counts as a holder.',
    workload: 'full',
    file: COORDINATOR,
    find: 'else if ((frameFlags(view, start) & Flag.error) !== 0) this.#onError(operation, member, view, start, end); else { operation.holders',
    replace: 'else if (false) this.#onError(operation, member, view, start, end); else { operation.holders',
  },
  {
    name: 'late-answer-to-another-read',
    why: 'An answer to an earlier read that used the slot counts for the present one.',
    file: 'dist/src/replication/read-slots.js',
    find: 'operation.use === correlation >>> 16 ?',
    replace: 'true ?',
  },
  {
    name: 'one-read-of-what-is-not-durable',
    why: 'A read at `one` returns a record that is not synced.',
    workload: 'slow',
    file: 'dist/src/replication/local-reads.js',
    find: 'const { durable } = found;',
    replace: 'const durable = true;',
  },
  {
    name: 'replica-speaks-of-what-is-not-durable',
    why: "A replica answers a coordinator's question with a record that is not synced.",
    workload: 'slow',
    file: 'dist/src/replication/replica.js',
    find: 'const durable = !has || found.durable;',
    replace: 'const durable = true;',
  },
  {
    name: 'held-replies-leave-early',
    why: 'Replies that wait for the log leave with the next sync, whatever it covers.',
    workload: 'slow',
    file: 'dist/src/replication/held-replies.js',
    find: 'index < this.#lsns.length && this.#lsns[index] <= lsn',
    replace: 'index < this.#lsns.length',
  },
  {
    name: 'always-agreed',
    why: 'A quorumGet says that the replicas agree when they do not.',
    file: 'dist/src/replication/quorum-answer.js',
    find: "agreed: responses.every((response) => response.kind === 'same' || response.kind === 'error'),",
    replace: 'agreed: true,',
  },
];
