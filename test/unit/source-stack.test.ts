import { fileURLToPath } from 'node:url';
import test from 'ava';
import { sourceStack } from '../../src/platform/source-stack.js';

const units = new URL('../../src/config/units.js', import.meta.url).href;

test('places in compiled files become places in the sources, the rest of a stack stays', (t) => {
  const stack = sourceStack(
    ['Error: no', `    at parse (${units}:20:3)`, `    at async ${units}:1:1`, '    at node:internal/main:1:2'].join(
      '\n',
    ),
  ).split('\n');
  const source = fileURLToPath(new URL('../../../src/config/units.ts', import.meta.url));
  t.is(stack[0], 'Error: no');
  t.regex(stack[1] ?? '', new RegExp(`^ {4}at parse \\(${source.replaceAll('.', '\\.')}:\\d+:\\d+\\)$`));
  t.regex(stack[2] ?? '', new RegExp(`^ {4}at async ${source.replaceAll('.', '\\.')}:1:1$`));
  t.is(stack[3], '    at node:internal/main:1:2');
});

test('a place in a file without a map stays as it is', (t) => {
  const stack = 'Error: no\n    at x (file:///nowhere/there.js:3:4)';
  t.is(sourceStack(stack), stack);
});
