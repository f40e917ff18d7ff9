import { readFileSync } from 'node:fs';

/** All bytes of a file. Throws the system's error, whose code is `systemErrorCode(error)`. */
export function readWholeFile(path: string): Uint8Array {
  return readFileSync(path);
}
