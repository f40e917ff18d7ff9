import { existsSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';

/** The folders whose code is shipped: what layers and ports are about. */
export const sourceFolders: readonly string[] = [
  'src',
  'protocol/src',
  'ring/src',
  'clients/typescript/src',
  'clustermanager/src',
];

/**
 * The TypeScript sources below those of `folders` that exist, as paths relative to `root` with `/`.
 *
 * @throws Error when a folder is there but holds none, or none is there: a check that looked at nothing proves nothing.
 */
export function sourceFiles(root: string, folders: readonly string[] = sourceFolders): string[] {
  const found: string[] = [];
  for (const folder of folders) {
    if (!existsSync(join(root, folder))) continue;
    const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => posix.join(folder, name.replaceAll('\\', '/')))
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'));
    if (files.length === 0) throw new Error(`${folder} holds no TypeScript: the check saw nothing`);
    found.push(...files);
  }
  if (found.length === 0) throw new Error(`none of ${folders.join(', ')} is here: the check saw nothing`);
  return found.sort();
}
