import type { Mutant } from './mutants.js';

const CORE = 'clients/typescript/dist/core';

/** Planted in the client library. */
export const CLIENT_MUTANTS: readonly Mutant[] = [
  {
    name: 'client-resends-write',
    why: 'A plain write whose connection was lost is sent again.',
    workload: 'client',
    file: `${CORE}/dispatcher.js`,
    find: 'if (operation.acts || operation.form >= Form.topology) this.fail(operation, lost);',
    replace: 'if (operation.form >= Form.topology) this.fail(operation, lost);',
  },
  {
    name: 'client-lost-as-not-applied',
    why: 'A write whose connection was lost, or whose time is over, is reported as not applied.',
    workload: 'client',
    file: `${CORE}/failures.js`,
    find: "return operation.acts ? 'unknown' : 'not-applied';",
    replace: "return 'not-applied';",
  },
  {
    name: 'client-repeats-unknown',
    why: 'A write that was answered with an unknown outcome is tried again.',
    workload: 'client',
    file: `${CORE}/retry-policy.js`,
    find: "(error.outcome === 'not-applied' || !operation.acts)",
    replace: 'true',
    isSeldomMet: true,
  },
  {
    name: 'client-order-forgotten',
    why: 'A refused write is sent again after a later one to its key was sent.',
    workload: 'client',
    file: `${CORE}/write-order.js`,
    find: 'if (this.#log[(this.#next - back) & (LOG_LENGTH - 1)] === hash >>> 0)',
    replace: 'if (false)',
    isSeldomMet: true,
  },
  {
    name: 'client-token-stands-still',
    why: 'The session token does not follow what the client sees.',
    workload: 'client',
    file: `${CORE}/session.js`,
    find: 'if (counter > this.counter) this.counter = counter;',
    replace: '',
    isSeldomMet: true,
  },
  {
    name: 'client-deadline-ignored',
    why: 'An operation that is sent waits for its answer for ever.',
    workload: 'client',
    file: `${CORE}/dispatcher.js`,
    find: 'if (nowMs >= operation.deadlineAt) {',
    replace: 'if (operation.state !== State.sent && nowMs >= operation.deadlineAt) {',
    isSeldomMet: true,
  },
];
