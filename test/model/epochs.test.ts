import test from 'ava';
import { BALLOT_RULES, type BallotRules, ballotsModel } from './ballots-model.js';
import { explore, stuckStates } from './explore.js';
import { PLAIN_RULES, type PlainRules, plainModel } from './plain-model.js';
import { ROUNDS_RULES, type RoundsRules, roundsModel } from './rounds-model.js';
import { votersModel } from './voters-model.js';

test('no read misses an acknowledged write while a key changes owners', (t) => {
  const { states, broken, trace } = explore(plainModel(PLAIN_RULES));
  t.log(`${states} states`);
  t.is(broken, undefined, trace.join('\n'));
});

const BREAKS: readonly (readonly [string, Partial<PlainRules>])[] = [
  ['reads from the old owners alone', { pendingRead: 'old' }],
  ['reads from the new owners alone', { pendingRead: 'new' }],
  ['writes to the old owners alone', { pendingWrite: 'old' }],
  ['writes to the new owners alone', { pendingWrite: 'new' }],
  ['epochs that are not compared', { isFenced: false }],
  ['streams from one old owner', { sources: 1 }],
  ['a source that still accepts in the old epoch when its stream begins', { isSourceLogged: false }],
];
for (const [what, rules] of BREAKS) {
  test(`a write is lost by ${what}`, (t) => {
    const { states, broken, trace } = explore(plainModel({ ...PLAIN_RULES, ...rules }));
    t.log(`${states} states, then:`, trace.join('; '));
    t.truthy(broken);
  });
}

test('no chosen value is lost, and no order reversed, by rounds while a key changes acceptors', (t) => {
  const { states, broken, trace } = explore(roundsModel(ROUNDS_RULES));
  t.log(`${states} states`);
  t.is(broken, undefined, trace.join('\n'));
});

const ROUND_BREAKS: readonly (readonly [string, Partial<RoundsRules>])[] = [
  ['streamed state that a promise turns away', { isStreamedKept: false }],
  ['streamed state that counts as a vote', { isStreamedVote: true }],
  ['fast reads from the old acceptors alone', { isFastReadJoint: false }],
];
for (const [what, rules] of ROUND_BREAKS) {
  test(`a chosen value is lost by ${what}`, (t) => {
    const { states, broken, trace } = explore(roundsModel({ ...ROUNDS_RULES, ...rules }));
    t.log(`${states} states, then:`, trace.join('; '));
    t.truthy(broken);
  });
}

test('one value is decided per epoch, whoever proposes, crashes and is not heard', (t) => {
  const { states, broken, trace } = explore(ballotsModel(BALLOT_RULES));
  t.log(`${states} states`);
  t.is(broken, undefined, trace.join('\n'));
});

const BALLOT_BREAKS: readonly (readonly [string, Partial<BallotRules>])[] = [
  ['a voter that answers before it has synced', { isDurable: false, areAnswersLost: false }],
  ['a ballot that is used again after a restart', { isRestartCounted: false }],
  ['a proposer that ignores what was accepted', { isHighestTaken: false }],
];
for (const [what, rules] of BALLOT_BREAKS) {
  test(`two values are decided for one epoch by ${what}`, (t) => {
    const { states, broken, trace } = explore(ballotsModel({ ...BALLOT_RULES, ...rules }));
    t.log(`${states} states, then:`, trace.join('; '));
    t.truthy(broken);
  });
}

test('a change whose joiners all die can be aborted at any moment, with a member dead as well', (t) => {
  const model = votersModel({ voters: 'committed' });
  t.log(`${explore(model).states} states`);
  t.deepEqual(stuckStates(model, model.isSettled), []);
});

test('with joiners as voters a change whose joiners die is pending for ever', (t) => {
  const model = votersModel({ voters: 'all' });
  t.not(stuckStates(model, model.isSettled).length, 0);
});
