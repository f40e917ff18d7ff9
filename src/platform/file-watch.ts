import { statSync, unwatchFile, watchFile } from 'node:fs';

/** How often the file is looked at. Polling also sees a file that was replaced by rename, or a changed symbolic link. */
const lookEveryMs = 1_000;

/** Calls `changed` some time after the content of `path` may have changed. Returns how to stop. */
export function watchForChange(path: string, changed: () => void): () => void {
  const listener = (): void => changed();
  watchFile(path, { interval: lookEveryMs, persistent: false }, listener);
  return () => unwatchFile(path, listener);
}

/** True when the file's mode lets other users read it. */
export function isReadableByOthers(path: string): boolean {
  return (statSync(path).mode & 0o077) !== 0;
}
