/**
 * `npm run build`, last: puts the dashboard together, in `clustermanager/dist/dashboard/`, unless it is newer than its
 * sources. It is built ahead of time: whoever runs a manager needs no build tools.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../clustermanager/', import.meta.url));
const config = join(folder, 'dashboard/vite.config.ts');

const changed = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const sources = readdirSync(join(folder, 'dashboard'), { recursive: true, encoding: 'utf8' });
const newest = Math.max(...sources.map((name) => changed(join(folder, 'dashboard', name))));

if (changed(join(folder, 'dist/dashboard/index.html')) <= newest) {
  // Found from the workspace that depends on it.
  const vite = dirname(createRequire(join(folder, 'package.json')).resolve('vite/package.json'));
  const { status } = spawnSync(process.execPath, [join(vite, 'bin/vite.js'), 'build', '--config', config], {
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}
