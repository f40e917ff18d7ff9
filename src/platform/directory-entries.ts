import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Names directly inside `directory`; none when it does not exist. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Removes files and whole directories `names` inside `directory`. */
export function removeInside(directory: string, names: readonly string[]): void {
  for (const name of names) rmSync(join(directory, name), { recursive: true, force: true });
}
