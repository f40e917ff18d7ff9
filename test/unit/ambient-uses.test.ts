import test from 'ava';
import { mayUseAmbient } from '../../scripts/ambient-rules.js';
import { ambientUses } from '../../scripts/ambient-uses.js';

function found(source: string): string[] {
  return ambientUses(source).map(({ what }) => what);
}

test('every way to the time, to chance, to files and to sockets is found', (t) => {
  const uses: Record<string, string> = {
    'const t = Date.now();': 'Date.now',
    "const t = Date['now']();": 'Date.now',
    'const { now } = Date;': 'Date.now',
    'const t = new Date();': 'new Date()',
    'const t = Date();': 'Date()',
    'const t = performance.now();': 'performance',
    'setTimeout(() => {}, 1);': 'setTimeout',
    'const later = setInterval;': 'setInterval',
    'globalThis.setImmediate(run);': 'globalThis.setImmediate',
    'const x = Math.random();': 'Math.random',
    'const t = process.hrtime.bigint();': 'process.hrtime',
    "import { readFileSync } from 'node:fs';": 'import node:fs',
    "import * as fs from 'fs/promises';": 'import fs/promises',
    "export * from 'node:net';": 'import node:net',
    "const tls = await import('node:tls');": 'import node:tls',
    "const udp = require('dgram');": 'require dgram',
    "import { randomBytes as fill } from 'node:crypto';": 'import randomBytes from node:crypto',
    "import * as crypto from 'node:crypto';": 'import * from node:crypto',
    'const x = (setTimeout as unknown) as number;': 'setTimeout',
    'const x = { run: setTimeout };': 'setTimeout',
    'class A { run() { return `${Date.now()}`; } }': 'Date.now',
  };
  for (const [source, what] of Object.entries(uses)) t.deepEqual(found(source), [what], source);
});

test('comments, strings, types and members of other objects are no uses', (t) => {
  const harmless = [
    '// Date.now()',
    "const text = 'setTimeout';",
    'timers.setTimeout(1);',
    'interface Timers { setTimeout(delay: number): void }',
    'type Handle = ReturnType<typeof setTimeout>;',
    'const ports = { setTimeout: start };',
    'class Timers { setTimeout() {} }',
    'const t = new Date(wallMs);',
    'const x = Math.floor(1.5);',
    "import type { Socket } from 'node:net';",
    "import { createHash } from 'node:crypto';",
    "import { join } from 'node:path';",
    'process.exitCode = 1;',
  ];
  for (const source of harmless) t.deepEqual(found(source), [], source);
});

test('a use is found at its line, whatever is before it', (t) => {
  const source = '// → ü\n\nexport const a = 1;\n  const t = Date.now();\n';
  t.deepEqual(ambientUses(source), [{ line: 4, what: 'Date.now' }]);
  t.deepEqual(ambientUses('Date.now();'), [{ line: 1, what: 'Date.now' }]);
});

test('the command line goes through the platform like everyone else', (t) => {
  t.false(mayUseAmbient('src/cli/program.ts'));
  t.false(mayUseAmbient('src/node.ts'));
  t.true(mayUseAmbient('src/main.ts'));
  t.true(mayUseAmbient('src/platform/system-clock.ts'));
});
