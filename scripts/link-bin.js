/**
 * Makes `npx memdb` work in the checkout: npm links the commands of installed packages, but not those of the package
 * that it is in. Run by `prepare`, after `npm ci`.
 */
import { existsSync, lstatSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const modules = fileURLToPath(new URL('../node_modules', import.meta.url));
const link = `${modules}/.bin/memdb`;

if (existsSync(modules)) {
  mkdirSync(`${modules}/.bin`, { recursive: true });
  // lstat, not exists: a link that leads nowhere is in the way too.
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) rmSync(link);
  symlinkSync('../../bin/memdb.js', link);
}
