import type { Mutant } from './mutants.js';

const MEMBER = 'dist/src/membership/swim/member.js';
const PROBER = 'dist/src/membership/swim/prober.js';
const RUMORS = 'dist/src/membership/swim/rumors.js';
const SWIM = 'dist/src/membership/swim/swim.js';
const TIMING = 'dist/src/membership/swim/timing.js';

/** Not imported from the simulator: the modules in which bugs are planted would be loaded before that. */
const workload = 'gossip';

/** Planted in what members hold of each other. */
export const GOSSIP_MUTANTS: readonly Mutant[] = [
  {
    name: 'suspicion-not-refuted',
    why: 'A member that hears that it is suspect says nothing.',
    file: SWIM,
    find: "this.#claimSelf(incarnation + 1, 'alive');",
    replace: '',
    workload,
  },
  {
    name: 'refutation-without-incarnation',
    why: 'A member refutes in the incarnation in which it is accused.',
    file: SWIM,
    find: "this.#claimSelf(incarnation + 1, 'alive');",
    replace: "this.#claimSelf(incarnation, 'alive');",
    workload,
  },
  {
    name: 'incarnation-ignored-in-merge',
    why: 'The graver claim wins, whatever was refuted since.',
    file: MEMBER,
    find: 'return (a.incarnation - b.incarnation ||',
    replace: 'return (',
    workload,
  },
  {
    name: 'death-below-a-newer-incarnation',
    why: 'News of a death are believed although the member has refuted them.',
    file: MEMBER,
    find: 'const claim = compareClaims(held.claim, heard.claim) >= 0 ?',
    replace: "const claim = heard.claim.state !== 'dead' && compareClaims(held.claim, heard.claim) >= 0 ?",
    workload,
  },
  {
    name: 'no-indirect-probe',
    why: 'A member that cannot be reached directly is suspected without asking others.',
    file: PROBER,
    find: 'const relays = this.#options.relays(RELAYS, target);',
    replace: 'const relays = [];',
    workload,
  },
  {
    name: 'restarted-generation-ignored',
    why: 'What is held of an earlier start of a node stands for a later one.',
    file: MEMBER,
    find: 'if (later !== 0) return later > 0 ? held : heard;',
    replace: '',
    workload,
  },
  {
    name: 'incarnation-raised-by-others',
    why: 'Who accuses raises the incarnation of the accused.',
    file: SWIM,
    find: "const claim = { incarnation, state: 'suspect', by: this.#self.uuid",
    replace: "const claim = { incarnation: incarnation + 1, state: 'suspect', by: this.#self.uuid",
    workload,
  },
  {
    name: 'death-without-time-to-refute',
    why: 'A suspect has one round to refute.',
    file: TIMING,
    find: 'const min = (SUSPICION_ROUNDS + Math.log10(present)) * ROUND_MS;',
    replace: 'const min = ROUND_MS / (1 + doubt);',
    workload,
  },
  {
    name: 'own-silence-blamed-on-others',
    why: 'Time in which a node stood still counts against those whose answers it did not read.',
    file: 'dist/src/membership/swim/attentive-clock.js',
    find: 'const countedMs = Math.min(elapsedMs, this.#tickMs * 1.5);',
    replace: 'const countedMs = elapsedMs;',
    workload,
  },
  {
    name: 'rumor-told-once',
    why: 'Each member tells a rumor to one other member only.',
    file: RUMORS,
    find: 'const limit = tellings(present);',
    replace: 'const limit = 1;',
    workload,
  },
  {
    name: 'dead-are-never-tried-again',
    why: 'After a cut both sides hold each other for dead for ever.',
    file: SWIM,
    find: 'if (dead.length > 0)',
    replace: 'if (false)',
    workload,
    isSeldomMet: true,
  },
  {
    name: 'contact-is-not-told-all',
    why: 'A newcomer is answered with the one it asked, not with all that one knows.',
    file: SWIM,
    find: 'return [this.self, ...this.#others.values()];',
    replace: 'return [this.self];',
    workload,
    isSeldomMet: true,
  },
];
