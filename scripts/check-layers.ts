/**
 * `npm run check`: no layer imports a higher one, and nothing reaches around the ports. Looks at the working directory,
 * prints what it finds and exits 1 on any finding, also when it had nothing to look at.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mayUseAmbient } from './ambient-rules.js';
import { ambientUses } from './ambient-uses.js';
import { layerViolations } from './layer-violations.js';
import { sourceFiles, sourceFolders } from './source-files.js';

/** Also held to the rules, though they are not shipped. */
const userFolders = ['bench', 'examples'];

/** Compiled code: types are gone, so that a cycle there is one at run time. */
const compiledFolders = ['dist/src', 'protocol/dist', 'ring/dist', 'clients/typescript/dist', 'clustermanager/dist'];

const root = process.cwd();
const findings: string[] = [];
try {
  const sources = sourceFiles(root);

  const folders = [...sourceFolders, ...userFolders, ...compiledFolders].filter((path) => existsSync(join(root, path)));
  const { seen, violations } = await layerViolations(folders);
  const unseen = sources.filter((path) => !seen.has(path));
  if (unseen.length > 0) {
    throw new Error(`the layer check missed ${unseen.length} of ${sources.length} files, first ${unseen[0]}`);
  }
  findings.push(...violations);
  console.log(`layers: ${seen.size} modules, ${violations.length} findings`);

  const pure = sources.filter((path) => !mayUseAmbient(path));
  if (pure.length === 0) throw new Error('every file may use everything: the check saw nothing');
  const uses = pure.flatMap((path) => {
    return ambientUses(readFileSync(join(root, path), 'utf8')).map(({ line, what }) => {
      return `${path}:${line}: ${what} belongs behind a port, in src/platform/`;
    });
  });
  findings.push(...uses);
  console.log(`ambient use: ${pure.length} files, ${uses.length} findings`);
} catch (error) {
  findings.push(error instanceof Error ? error.message : String(error));
}
for (const finding of findings) console.error(finding);
process.exitCode = findings.length === 0 ? 0 : 1;
