import { readFileSync } from 'node:fs';
import test from 'ava';
import { MUTANTS } from '../mutants/mutants.js';
import { replaceOnce } from '../mutants/replace-once.js';

for (const { name, why, also = [], ...edit } of MUTANTS) {
  test(`the mutant ${name} finds its place in the compiled code`, (t) => {
    for (const { file, find, replace } of [edit, ...also]) {
      const source = readFileSync(file, 'utf8');
      t.not(replaceOnce(source, find, replace), source);
    }
    t.regex(why, /^[A-Z].*\.$/);
  });
}

test('there are at least 25 mutants, each with a name of its own', (t) => {
  t.true(MUTANTS.length >= 25, `${MUTANTS.length}`);
  t.is(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
});

test('a text that stands nowhere, or twice, is an error', (t) => {
  t.throws(() => replaceOnce('a b a', 'c', 'd'), { message: /0 times/ });
  t.throws(() => replaceOnce('a b a', 'a', 'd'), { message: /2 times/ });
  t.is(replaceOnce('if (x)\n    go();', 'if (x) go();', 'stay();'), 'stay();');
});
