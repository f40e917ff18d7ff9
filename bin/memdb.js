#!/usr/bin/env node
import { existsSync } from 'node:fs';

const main = new URL('../dist/src/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  process.stderr.write('memdb: not built yet; run `npm ci` (or `npm run build`) in the directory of MemDB\n');
  process.exitCode = 1;
}
