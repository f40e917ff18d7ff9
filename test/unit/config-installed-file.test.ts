import { readFileSync } from 'node:fs';
import test from 'ava';
import { loadConfig } from '../../src/config/load-config.js';
import { settingNames } from '../../src/config/print-config.js';

const file = new URL('../../../etc/memdb/memdb.toml', import.meta.url);
const machine = { hostName: 'machine-1' };

test('the installed configuration is valid and is what a node has without any', (t) => {
  const text = readFileSync(file, 'utf8');
  t.deepEqual(loadConfig({ file: { name: 'memdb.toml', text }, machine }).config, loadConfig({ machine }).config);
});

test('the installed configuration names every setting, and the defaults it shows are the defaults', (t) => {
  const text = readFileSync(file, 'utf8');
  for (const { name } of settingNames()) {
    const [section, key] = name.split('.');
    const part = text.slice(text.indexOf(`\n[${section}]`)).split(/\n\[/, 2)[1] ?? '';
    t.regex(part, new RegExp(`^(# )?${key} = `, 'm'), name);
  }
  const example = /^# (advertise|seeds) = .*$/gm;
  const uncommented = text.replace(example, '').replace(/^# (\w+ = )/gm, '$1');
  t.deepEqual(
    loadConfig({ file: { name: 'memdb.toml', text: uncommented }, machine }).config,
    loadConfig({ machine }).config,
  );
});
