import { readFileSync } from 'node:fs';
import test from 'ava';
import { nameOf } from '../../src/config/load-config.js';
import { settings } from '../../src/config/schema.js';

function read(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
}

test('the README opens with exactly the two commands', (t) => {
  t.true(read('README.md').startsWith('# MemDB\n\n```sh\nnpm ci && npm start\nnpm ci && npm test\n```\n'));
});

test('docs/configuration.md shows every setting with its default and what is allowed', (t) => {
  const text = read('docs/configuration.md');
  for (const setting of settings) {
    const part = text.slice(text.indexOf(`\n## [${setting.section}]\n`)).split(/\n## /, 2)[1] ?? '';
    const row = `| \`${setting.key}\` | \`${setting.kind.format(setting.fallback)}\` | ${setting.kind.allowed} | ${setting.help} |`;
    t.true(part.includes(row), `${nameOf(setting)}: ${row}`);
  }
});

test('links between the documents lead somewhere', (t) => {
  const documents = [
    'README.md',
    'docs/getting-started.md',
    'docs/configuration.md',
    'docs/cli.md',
    'docs/operations-basics.md',
  ];
  let links = 0;
  for (const document of documents) {
    for (const [, target = ''] of read(document).matchAll(/\]\(([^)#]+)\)/g)) {
      links++;
      t.notThrows(() => read(new URL(target, `file:///${document}`).pathname.slice(1)), `${document}: ${target}`);
    }
  }
  t.true(links > 10);
});
