import { randomBytes } from 'node:crypto';
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DiskError } from '../ports/disk.js';
import { systemErrorCode, toDiskError } from './disk-error.js';
import { isRunning, ownIdentity, type ProcessIdentity } from './process-identity.js';

/** The lock file; everything else that the lock leaves in the directory starts with this name. */
export const LOCK_NAME = 'LOCK';

interface Holder extends ProcessIdentity {
  /** Random, new for each acquisition. */
  readonly token: string;
}

/** Stands for a holder whose lock file says nothing. A live holder's file is always whole. */
const NOBODY: Holder = { pid: 0, startTicks: '', bootId: 'unreadable', token: 'unreadable' };

/**
 * One process per data directory. `LOCK` names its holder and appears with its content in one step (a hard link
 * to a finished file), so nobody ever sees half of it.
 *
 * A lock whose holder is gone is taken over. The right to replace the lock with token T is itself such a lock,
 * `LOCK.T`: only its holder may replace it, and only while `LOCK` still carries T. Two starters therefore cannot
 * both take it, nor can a slow one remove the lock of a faster one; one that dies half-way is taken over alike.
 */
export class DirectoryLock {
  readonly #directory: string;
  #token: string | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Throws `DiskError` kind `locked` when a live process holds it. */
  acquire(): void {
    if (this.#token !== undefined) throw new DiskError('locked', LOCK_NAME, `${this.#directory} is locked already`);
    this.#token = this.#take(LOCK_NAME);
    this.#sweep();
  }

  release(): void {
    if (this.#token !== undefined) this.#drop(LOCK_NAME, this.#token);
    this.#token = undefined;
  }

  #take(name: string): string {
    const holder: Holder = { ...ownIdentity(), token: randomBytes(8).toString('hex') };
    const draft = `${LOCK_NAME}.draft.${holder.token}`;
    writeFileSync(join(this.#directory, draft), `${JSON.stringify(holder)}\n`, { mode: 0o600 });
    try {
      while (!this.#link(draft, name)) {
        const current = this.#read(name);
        if (current === undefined) continue;
        if (isRunning(current)) throw this.#heldBy(current);
        const right = `${LOCK_NAME}.${current.token}`;
        const rightToken = this.#take(right);
        const unchanged = this.#read(name)?.token === current.token;
        if (unchanged) renameSync(join(this.#directory, draft), join(this.#directory, name));
        this.#drop(right, rightToken);
        if (unchanged) break;
      }
    } finally {
      rmSync(join(this.#directory, draft), { force: true });
    }
    return holder.token;
  }

  #link(from: string, to: string): boolean {
    try {
      linkSync(join(this.#directory, from), join(this.#directory, to));
      return true;
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') return false;
      throw toDiskError(to, 'create the lock', error);
    }
  }

  #drop(name: string, token: string): void {
    if (this.#read(name)?.token === token) rmSync(join(this.#directory, name), { force: true });
  }

  /** Undefined when there is no such file. A file that a power cut emptied names nobody. */
  #read(name: string): Holder | undefined {
    let text: string;
    try {
      text = readFileSync(join(this.#directory, name), 'utf8');
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return undefined;
      throw toDiskError(name, 'read the lock', error);
    }
    return parseHolder(text) ?? NOBODY;
  }

  /** Removes what starters that died half-way left behind. */
  #sweep(): void {
    for (const name of readdirSync(this.#directory)) {
      if (!name.startsWith(`${LOCK_NAME}.`)) continue;
      const holder = this.#read(name);
      // An unreadable one may be the draft that another starter is writing right now.
      if (holder !== undefined && holder !== NOBODY && !isRunning(holder))
        rmSync(join(this.#directory, name), { force: true });
    }
  }

  #heldBy(holder: Holder): DiskError {
    return new DiskError(
      'locked',
      LOCK_NAME,
      `the data directory ${this.#directory} is in use by process ${holder.pid}: stop that process, or give this node a data directory of its own`,
    );
  }
}

function parseHolder(text: string): Holder | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { pid, startTicks, bootId, token } = value as Partial<Record<keyof Holder, unknown>>;
  if (typeof pid !== 'number' || typeof startTicks !== 'string' || typeof bootId !== 'string') return undefined;
  return typeof token === 'string' && /^[0-9a-f]{16}$/.test(token) ? { pid, startTicks, bootId, token } : undefined;
}
