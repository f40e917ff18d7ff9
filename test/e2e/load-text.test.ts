import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { startDev, stopDev } from './dev-process.js';
import { Program, repository, runMemDb, temporaryDirectory } from './memdb-process.js';

const tsx = join(repository, 'node_modules/tsx/dist/cli.mjs');
const example = join(repository, 'examples/load-text.ts');

/** The largest declaration file of the installed TypeScript: real text that every checkout has. */
function realText(): string {
  const scope = join(repository, 'node_modules/@typescript');
  const platform = readdirSync(scope).find((name) => name.startsWith('typescript-'));
  return join(scope, platform ?? 'typescript', 'lib/lib.dom.d.ts');
}

test('ten thousand lines of real text survive the death of a node half-way, byte for byte', async (t) => {
  const directory = temporaryDirectory(t);
  const dev = await startDev(t, directory);
  const load = await new Program(t, tsx, [example, realText(), '--json'], { directory }).ended;
  t.is(load.code, 0, load.stderr);
  const report = JSON.parse(load.stdout.toString());
  t.log(report);
  t.true(report.lines >= 10_000);
  t.is(report.mismatches, 0);
  t.regex(report.killed, /^127\.0\.0\.1:\d+$/);
  t.regex(dev.program.stderr, /died \(SIGKILL\)/);

  const line = await runMemDb(t, ['get', 'lib.dom.d.ts:1'], { directory });
  t.is(line.code, 0);
  t.is(await stopDev(dev), 0);
});
