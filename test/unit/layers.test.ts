import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const script = fileURLToPath(new URL('../../scripts/check-layers.js', import.meta.url));

/** Runs the check on a tree of files and tells its exit code and what it printed. */
function check(t: ExecutionContext, files: Readonly<Record<string, string>>): { status: number | null; text: string } {
  const root = mkdtempSync(join(tmpdir(), 'memdb-layers-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), source);
  }
  return run(root);
}

function run(cwd: string): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { cwd, encoding: 'utf8' });
  return { status, text: stdout + stderr };
}

const sound = {
  'src/model/stamp.ts': 'export const zero = 0;\n',
  'src/storage/log.ts': "import { zero } from '../model/stamp.js';\nexport const start = zero;\n",
};

test('this repository keeps its layers and reaches around no port', (t) => {
  const { status, text } = run(repository);
  t.is(status, 0, text);
});

test('a tree that keeps the rules passes', (t) => {
  t.like(check(t, sound), { status: 0, text: 'layers: 2 modules, 0 findings\nambient use: 2 files, 0 findings\n' });
});

test('a lower layer that imports a higher one is caught', (t) => {
  const upward = "import { start } from '../storage/log.js';\nexport const lowest = start;\n";
  const { status, text } = check(t, { ...sound, 'src/model/lowest.ts': upward });
  t.is(status, 1);
  t.regex(text, /src\/model\/lowest\.ts → src\/storage\/log\.ts: src\/model\/ may import protocol of ours/);
});

test('an import of nothing but a type of a higher layer is caught', (t) => {
  const upward = "import type { Log } from '../storage/log.js';\nexport type Kept = Log;\n";
  const storage = 'export interface Log {}\n';
  const { status, text } = check(t, { 'src/ports/kept.ts': upward, 'src/storage/log.ts': storage });
  t.is(status, 1);
  t.regex(text, /src\/ports\/kept\.ts → src\/storage\/log\.ts/);
});

test('nobody but the process imports the assembly, and nobody shipped imports a test', (t) => {
  const { status, text } = check(t, {
    'src/node.ts': 'export const node = 1;\n',
    'test/harness/world.ts': 'export const world = 1;\n',
    'src/server/server.ts':
      "export { node } from '../node.js';\nexport { world } from '../../test/harness/world.js';\n",
  });
  t.is(status, 1);
  t.regex(text, /assembly-is-the-top/);
  t.regex(text, /not-from-the-shipped-code/);
});

test('examples import what users import', (t) => {
  const example = "import { start } from '../src/storage/log.js';\nexport const begin = start;\n";
  const { status, text } = check(t, { ...sound, 'examples/first.ts': example });
  t.is(status, 1);
  t.regex(text, /published-interfaces/);
});

test('modules that need each other while they load are caught in the compiled code', (t) => {
  const { status, text } = check(t, {
    ...sound,
    'dist/src/model/a.js': "import { b } from './b.js';\nexport const a = b;\n",
    'dist/src/model/b.js': "import { a } from './a.js';\nexport const b = a;\n",
  });
  t.is(status, 1);
  t.regex(text, /no-cycles/);
});

test('an import that leads nowhere is caught', (t) => {
  const { status, text } = check(t, { ...sound, 'src/model/lost.ts': "export * from './nowhere.js';\n" });
  t.is(status, 1);
  t.regex(text, /everything-resolves/);
});

test('ambient use is caught with its file and line, and allowed in the platform', (t) => {
  const timer = 'export const start = (): number => 1;\n\nexport const now = (): number => Date.now();\n';
  const { status, text } = check(t, {
    ...sound,
    'src/model/timer.ts': timer,
    'src/platform/timer.ts': timer,
    'src/main.ts': timer,
  });
  t.is(status, 1);
  t.regex(text, /src\/model\/timer\.ts:3: Date\.now belongs behind a port/);
  t.regex(text, /ambient use: 3 files, 1 findings/);
});

test('a check that saw nothing fails', (t) => {
  t.like(check(t, {}), { status: 1 });
  t.like(check(t, { 'src/README.md': '' }), { status: 1 });
  t.like(check(t, { ...sound, 'ring/src/README.md': '' }), { status: 1 });
  t.regex(check(t, { 'src/platform/timer.ts': '' }).text, /saw nothing/);
});

test('a source that cannot be read as TypeScript fails the check', (t) => {
  t.like(check(t, { ...sound, 'src/model/torn.ts': 'export const = ;\n' }), { status: 1 });
});
