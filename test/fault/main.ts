/** `npm run fault -- [--cycles N] [--match NAME]`: the suite of this folder, longer than in the test command. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { cycles: { type: 'string' }, match: { type: 'string' } } });
const folder = fileURLToPath(new URL('.', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.test.js'));
const words = ['ava', '--serial', '--concurrency', '1', '--timeout', '30m', ...files.map((name) => folder + name)];
if (values.match !== undefined) words.push('--match', `*${values.match}*`);
const environment = values.cycles === undefined ? {} : { FAULT_CYCLES: values.cycles };
const { status } = spawnSync('npx', words, { stdio: 'inherit', env: { ...process.env, ...environment } });
process.exitCode = status ?? 1;
