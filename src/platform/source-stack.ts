import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file of ours in a line of a stack, with line and column, both from 1. */
const place = /(file:\/\/\/[^\s()]+\.js):(\d+):(\d+)/g;

/**
 * A stack as a person can follow it: places in bundled or compiled files become places in the sources, where there is a map
 * beside the file. It reads files while everything else waits: for the last words of a process. Never throws.
 *
 * ```ts
 * sourceStack(error.stack)   // ... at Store.append (/opt/memdb/src/storage/store.ts:266:18)
 * ```
 */
export function sourceStack(stack: string): string {
  const maps = new Map<string, SourceMap | undefined>();
  return stack.replace(place, (text, url: string, line: string, column: string) => {
    if (!maps.has(url)) maps.set(url, readMap(url));
    const entry = maps.get(url)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry === undefined || !('originalSource' in entry)) return text;
    const source = resolve(dirname(fileURLToPath(url)), entry.originalSource);
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

/** Undefined when there is none that can be read: then a place stays as it is. */
function readMap(url: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(url)}.map`, 'utf8')));
  } catch {
    return undefined;
  }
}
