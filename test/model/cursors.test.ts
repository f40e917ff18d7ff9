import test from 'ava';
import { CURSOR_RULES, type CursorRules, cursorModel } from './cursor-model.js';
import { explore, stuckStates } from './explore.js';

test('a cursor is below all that the peer may lack, and from everywhere the peer can get everything', (t) => {
  const model = cursorModel(CURSOR_RULES);
  const { states, broken, trace } = explore(model);
  t.log(`${states} states`);
  t.is(broken, undefined, trace.join('\n'));
  t.deepEqual(stuckStates(model, model.isSettled), []);
});

const BREAKS: readonly (readonly [string, Partial<CursorRules>])[] = [
  ['a cursor that takes the maximum', { cursor: 'maximum' }],
  ['a peer that acknowledges before it has synced', { isAckDurable: false }],
  ['a cursor that outlives the end of the log', { kept: 'aside' }],
];
for (const [what, rules] of BREAKS) {
  test(`the peer misses a record for good by ${what}`, (t) => {
    const { states, broken, trace } = explore(cursorModel({ ...CURSOR_RULES, ...rules }));
    t.log(`${states} states, then:`, trace.join('; '));
    t.truthy(broken);
  });
}

test('a peer never gets what was in flight when the link was cut, if that is not sent again', (t) => {
  const model = cursorModel({ ...CURSOR_RULES, resumed: 'from-sent' });
  t.is(explore(model).broken, undefined);
  t.not(stuckStates(model, model.isSettled).length, 0);
});
