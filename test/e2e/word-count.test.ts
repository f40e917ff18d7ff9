import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { startDev, stopDev } from './dev-process.js';
import { Program, repository, runMemDb, temporaryDirectory } from './memdb-process.js';

const tsx = join(repository, 'node_modules/tsx/dist/cli.mjs');
const example = join(repository, 'examples/word-count.ts');
const text = join(repository, 'docs/client.md');

test('words are counted by several writers while nodes are killed, and every count lies where it must', async (t) => {
  const directory = temporaryDirectory(t);
  const dev = await startDev(t, directory);
  const add = await runMemDb(t, ['counter', 'add', 'visits', '41'], { directory });
  t.is(add.code, 0, add.stderr);
  t.is((await runMemDb(t, ['counter', 'add', 'visits'], { directory })).code, 0);
  t.is((await runMemDb(t, ['counter', 'subtract', 'visits', '50'], { directory })).code, 0);
  const value = await runMemDb(t, ['counter', 'get', 'visits', '--json'], { directory });
  t.deepEqual(JSON.parse(value.stdout.toString()), { counter: 'visits', value: '-8' });
  t.is((await runMemDb(t, ['get', 'visits'], { directory })).code, 3);

  const count = await new Program(t, tsx, [example, text, join(repository, 'docs/testing.md'), '--json'], { directory })
    .ended;
  t.is(count.code, 0, count.stderr);
  const report = JSON.parse(count.stdout.toString());
  t.log(report);
  t.is(report.killed.length, 2);
  t.is(report.outOfBounds, 0);
  t.is(report.exact + report.withinBounds, report.distinct);
  t.is(report.acknowledged + report.unknown, report.words);
  t.true(report.words > readFileSync(text, 'utf8').length / 20);
  t.is(await stopDev(dev), 0);
});
