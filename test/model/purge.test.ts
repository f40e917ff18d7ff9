import test from 'ava';
import { COMPACTION_RULES, type CompactionRules, compactionModel } from './compaction-model.js';
import { explore } from './explore.js';
import { PURGE_RULES, type PurgeRules, purgeModel } from './purge-model.js';

test('purging on own evidence loses no acknowledged write and shows no deleted value', (t) => {
  const { states, broken, trace } = explore(purgeModel(PURGE_RULES));
  t.log(`${states} states`);
  t.is(broken, undefined, trace.join('\n'));
});

const BREAKS: readonly (readonly [string, Partial<PurgeRules>])[] = [
  ['a floor that is taken over from another', { evidence: 'adopted' }],
  ['a comparison with one other owner only', { compared: 1 }],
  ['a comparison that came before the deletion', { isAfterHeld: false }],
  ['a comparison of records that are not durable', { isDurable: false }],
  ['a current owner that drops its copy below another floor', { isCopyKept: false }],
  ['a stamp below what its coordinator holds', { isStampAboveHeld: false }],
];
for (const [what, rules] of BREAKS) {
  test(`a write is lost, or a deleted value comes back, by ${what}`, (t) => {
    const { states, broken, trace } = explore(purgeModel({ ...PURGE_RULES, ...rules }));
    t.log(`${states} states, then:`, trace.join('; '), '→', broken);
    t.truthy(broken);
  });
}

test('a deleted value stays dead whatever is compacted after its deletion was purged', (t) => {
  const { states, broken, trace } = explore(compactionModel(COMPACTION_RULES));
  t.log(`${states} states`);
  t.is(broken, undefined, trace.join('\n'));
});

const COMPACTION_BREAKS: readonly (readonly [string, Partial<CompactionRules>])[] = [
  ['compaction that drops purged tombstones', { carried: 'never' }],
  ['compaction that carries them on for the sake of older segments alone', { carried: 'behind-older' }],
  ['a log that takes what lies below a floor', { isBelowFloorKeptOut: false }],
];
for (const [what, rules] of COMPACTION_BREAKS) {
  test(`a deleted value lives again after a restart by ${what}`, (t) => {
    const { states, broken, trace } = explore(compactionModel({ ...COMPACTION_RULES, ...rules }));
    t.log(`${states} states, then:`, trace.join('; '));
    t.truthy(broken);
  });
}
