import type { Mutant } from './mutants.js';

const ACCEPTOR = 'dist/src/replication/serial/serial-acceptor.js';
const RULES = 'dist/src/model/serial-acceptor.js';
const APPLY = 'dist/src/replication/serial/serial-apply.js';
const KEY = 'dist/src/replication/serial/serial-key.js';
const COORDINATOR = 'dist/src/replication/serial/serial-coordinator.js';

/** Planted in the rounds of serial keys, and where plain operations meet them. */
export const SERIAL_MUTANTS: readonly Mutant[] = [
  {
    name: 'promise-not-synced',
    why: 'An acceptor answers a promise before it is on its disk.',
    workload: 'serial',
    file: ACCEPTOR,
    find: "this.#whenSynced(() => answer({ kind: 'state', state: next }));",
    replace: "answer({ kind: 'state', state: next });",
    isSeldomMet: true,
  },
  {
    name: 'acceptance-not-synced',
    why: 'An acceptor answers an Accept before it is on its disk.',
    workload: 'serial',
    file: ACCEPTOR,
    find: "this.#whenSynced(() => answer({ kind: 'accepted' }));",
    replace: "answer({ kind: 'accepted' });",
    isSeldomMet: true,
  },
  {
    name: 'accepted-value-forgotten',
    why: 'A proposer takes the state of the lowest ballot that was accepted, not of the highest.',
    workload: 'serial',
    file: KEY,
    find: 'return accepted > 0 ? state : newest;',
    replace: 'return accepted < 0 ? state : newest;',
    isSeldomMet: true,
  },
  {
    name: 'ballot-used-twice',
    why: 'Ballots count up from what was in the way, without the clock that survives restarts, and without a restart count.',
    workload: 'serial',
    file: KEY,
    find: 'const counter = this.#context.lamport.next(this.#outbid.counter);',
    replace: 'const counter = this.#outbid.counter + 1;',
    isSeldomMet: true,
  },
  {
    name: 'plain-write-not-fenced',
    why: 'A replica that has promised, and accepted nothing, takes plain versions.',
    workload: 'serial',
    file: 'dist/src/storage/catalog.js',
    find: 'if (heldKind === RecordKind.serial) {',
    replace: 'if (heldKind === RecordKind.serial && heldCounter !== 0) {',
    isSeldomMet: true,
  },
  {
    name: 'adoption-ignores-the-newest-plain',
    why: 'The first round of a key takes over the oldest plain version of its majority.',
    workload: 'serial',
    file: KEY,
    find: 'return order > 0 || (order === 0 && newest.content === SerialContent.never) ? state : newest;',
    replace: 'return order < 0 ? state : newest;',
    isSeldomMet: true,
  },
  {
    name: 'adopted-version-without-its-id',
    why: 'A plain version that a round takes over is not remembered as an operation that was applied.',
    workload: 'serial',
    file: APPLY,
    find: 'const isVersion = base.content !== SerialContent.never;',
    replace: 'const isVersion = false;',
    isSeldomMet: true,
  },
  {
    name: 'operation-id-dropped-on-re-proposal',
    why: 'An operation whose round was outbid is proposed again without its id.',
    workload: 'serial',
    file: KEY,
    find: 'operation.isRepeated = true;',
    replace: 'operation.isRepeated = true, operation.id = undefined;',
    isSeldomMet: true,
  },
  {
    name: 'repair-ignores-the-promise',
    why: 'A copy of another acceptor is taken although a higher ballot was promised.',
    workload: 'serial',
    file: RULES,
    find: 'if (copy.accepted.counter === 0 || compareBallots(copy.accepted, state.promised) < 0)',
    replace: 'if (copy.accepted.counter === 0)',
    isSeldomMet: true,
  },
  {
    name: 'fast-read-of-one',
    why: 'A serial read is answered from one acceptor, whatever the others say.',
    workload: 'serial',
    file: KEY,
    find: 'others.every(({ accepted, isVote }) => isVote && compareBallots(accepted, first.accepted) === 0)',
    replace: 'true',
    isSeldomMet: true,
  },
  {
    name: 'refusal-of-a-copy-is-definite',
    why: 'A node that refuses a repeated copy says that the operation had no effect, although an earlier copy may have.',
    workload: 'serial',
    file: COORDINATOR,
    find: "isSerialWrite(operation) && (isSent || isRepeated) ? 'unknown' : error.outcome",
    replace: 'error.outcome',
    isSeldomMet: true,
  },
  {
    name: 'failed-comparison-not-kept',
    why: 'A late first copy compares anew after a repeated one has compared in vain.',
    workload: 'serial',
    file: APPLY,
    find: 'if (operation.id === undefined || !operation.isRepeated)',
    replace: 'if (operation.id !== null)',
    isSeldomMet: true,
  },
];
