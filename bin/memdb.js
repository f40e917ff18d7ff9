#!/bin/sh
':' //; export GLIBC_TUNABLES="${GLIBC_TUNABLES-glibc.malloc.hugetlb=1}"; exec node "$0" "$@"
// To a shell this file is a script that ends with the line above; to Node.js that line is a string and a comment.
// It asks the C library for huge pages, which has to be done before a process starts (docs/decisions/huge-pages.md).
import { existsSync, statSync } from 'node:fs';

const at = (path) => new URL(`../${path}`, import.meta.url);
/** When the file was written; 0 when there is none. */
const writtenMs = (url) => statSync(url, { throwIfNoEntry: false })?.mtimeMs ?? 0;

// Few files that start fast, unless the compiler alone ran since they were made of what it makes.
const bundle = at('dist/program/main.js');
const sources = ['dist/src', 'protocol/dist', 'ring/dist', 'clients/typescript/dist'].map((folder) => at(`${folder}/.tsbuildinfo`));
const bundleIsFresh = sources.every((source) => writtenMs(source) <= writtenMs(bundle));
const main = bundleIsFresh ? bundle : at('dist/src/main.js');

if (existsSync(main)) await import(main.href);
else {
  process.stderr.write('memdb: not built yet; run `npm ci` (or `npm run build`) in the directory of MemDB\n');
  process.exitCode = 1;
}
