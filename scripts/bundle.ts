/**
 * `npm run build`, after the compiler: puts what `bin/memdb.js` runs into few files, in `dist/program/`. The runtime takes
 * half a millisecond and more for each module that it finds, reads and links, and a node has 300 of them
 * (docs/decisions/starting-fast.md). Source maps lead back to the sources.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type OutputFile } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = 'dist/program';

/** What is started by its path: the program, and the thread that makes files. */
const entries = ['main.js', 'platform/disk-worker.js'];

const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: entries.map((entry) => `dist/src/${entry}`),
  outbase: 'dist/src',
  outdir: folder,
  // Modules that look for a file beside them are in platform/: there they find it as they do uncompiled.
  chunkNames: 'platform/[name]-[hash]',
  bundle: true,
  // What a command loads on demand stays apart, and nothing is there twice.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  sourcesContent: false,
  // Native and optional; the manager, which finds its dashboard beside it and is not waited for.
  external: ['lz4', 'lz4-napi', '@memdb/clustermanager'],
  // Packages that are CommonJS ask for modules of the runtime. The names are none that a module has.
  banner: {
    js: "import { createRequire as $makeRequire } from 'node:module'; const require = $makeRequire(import.meta.url);",
  },
  write: false,
  logLevel: 'warning',
});
write(outputFiles);

/** Entries come last, so that whoever starts meanwhile finds what they import; files of earlier builds go after that. */
function write(files: readonly OutputFile[]): void {
  const isEntry = ({ path }: OutputFile): boolean => entries.includes(relative(join(root, folder), path));
  for (const file of [...files.filter((file) => !isEntry(file)), ...files.filter(isEntry)]) {
    mkdirSync(dirname(file.path), { recursive: true });
    writeFileSync(file.path, file.contents);
  }
  const written = new Set(files.map(({ path }) => path));
  for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
    const path = join(root, folder, name);
    if (name.includes('.js') && existsSync(path) && !written.has(path)) rmSync(path);
  }
}
