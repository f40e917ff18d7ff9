import { IdempotentAnswers } from '@memdb/clustermanager/parts/api/idempotency.js';
import test from 'ava';

const answer = (body: string) => ({ status: 200, contentType: 'application/json', body });

test('a repeat gets the answer of the first and does nothing, also while the first is under way', async (t) => {
  const answers = new IdempotentAnswers(() => 0);
  let acts = 0;
  const act = async () => answer(String(++acts));
  const both = await Promise.all([
    answers.answer('me', 'k', 'POST /a', act),
    answers.answer('me', 'k', 'POST /a', act),
  ]);
  t.deepEqual(both, [answer('1'), answer('1')]);
  t.is((await answers.answer('me', 'k', 'POST /a', act)).body, '1');
  t.is((await answers.answer('me', 'other', 'POST /a', act)).body, '2');
  t.is((await answers.answer('you', 'k', 'POST /a', act)).body, '3');
});

test('a key that came with another request is refused, and kept answers have an end and a bound', async (t) => {
  let nowMs = 0;
  const answers = new IdempotentAnswers(() => nowMs);
  let acts = 0;
  const act = async () => answer(String(++acts));
  await answers.answer('me', 'k', 'POST /a', act);
  t.throws(() => answers.answer('me', 'k', 'POST /b', act), { message: /another request/ });
  t.throws(() => answers.answer('me', 'x'.repeat(129), 'POST /b', act));
  nowMs = 600_001;
  t.is((await answers.answer('me', 'k', 'POST /a', act)).body, '2');
  for (let number = 0; number < 1002; number++) await answers.answer('me', `n${number}`, 'POST /a', act);
  t.is((await answers.answer('me', 'k', 'POST /a', act)).body, '1005');
});
