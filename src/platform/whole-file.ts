import { readFileSync, statSync } from 'node:fs';

/** All bytes of a file. Throws the system's error, whose code is `systemErrorCode(error)`. */
export function readWholeFile(path: string): Uint8Array {
  return readFileSync(path);
}

/** Whether there is a directory of this path. */
export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
