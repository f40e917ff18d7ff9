import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { callbackify } from 'node:util';
import type { CompressedPlace, Disk, DiskError, DiskFile } from '../ports/disk.js';
import { DirectoryLock, LOCK_NAME } from './directory-lock.js';
import { systemErrorCode, toDiskError } from './disk-error.js';
import { DiskThread } from './disk-thread.js';
import { expandFile } from './expand-file.js';
import { FileDiskFile } from './file-disk-file.js';

/** Files that are being made carry this ending; those that a crash left are removed when the lock is taken. */
const TEMPORARY_SUFFIX = '.tmp';
/** Data is nobody else's: only the user that runs the node may look. */
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

/**
 * A data directory on a local file system. Neither the lock file nor unfinished files show up in `list`.
 *
 * ```ts
 * const disk = new FileDisk('/var/lib/memdb');
 * disk.lock();
 * ```
 */
export class FileDisk implements Disk {
  readonly directory: string;
  readonly #lock: DirectoryLock;
  readonly #thread: DiskThread = new DiskThread();

  constructor(directory: string) {
    this.directory = resolve(directory);
    this.#lock = new DirectoryLock(this.directory);
  }

  lock(): void {
    attempt(this.directory, 'create the data directory', () =>
      mkdirSync(this.directory, { recursive: true, mode: DIRECTORY_MODE }),
    );
    attempt(this.directory, 'lock', () => this.#lock.acquire());
    this.#removeUnfinished();
  }

  unlock(): void {
    this.#lock.release();
  }

  list(directory: string): string[] {
    try {
      const entries = readdirSync(this.#absolute(directory), { withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile() && !isInternal(entry.name))
        .map((entry) => entry.name)
        .sort();
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return [];
      throw toDiskError(directory, 'list', error);
    }
  }

  makeDirectory(directory: string): void {
    attempt(directory, 'create the directory', () =>
      mkdirSync(this.#absolute(directory), { recursive: true, mode: DIRECTORY_MODE }),
    );
  }

  exists(path: string): boolean {
    return existsSync(this.#absolute(path));
  }

  read(path: string): Uint8Array {
    return attempt(path, 'read', () => readFileSync(this.#absolute(path)));
  }

  replace(path: string, bytes: Uint8Array): void {
    const absolute = this.#absolute(path);
    const temporary = absolute + TEMPORARY_SUFFIX;
    try {
      writeFileSync(temporary, bytes, { mode: FILE_MODE, flush: true });
      renameSync(temporary, absolute);
      syncName(dirname(absolute));
    } catch (error) {
      rmSync(temporary, { force: true });
      throw toDiskError(path, 'replace', error);
    }
  }

  replaceLater(path: string, bytes: Uint8Array, done: (error?: DiskError) => void): void {
    later(path, 'replace', done, () => replaceFile(this.#absolute(path), bytes));
  }

  readLater(
    path: string,
    position: number,
    length: number,
    done: (error: DiskError | undefined, bytes: Uint8Array) => void,
  ): void {
    let bytes: Uint8Array = new Uint8Array(0);
    const finish = (error?: DiskError): void => done(error, bytes);
    later(path, 'read', finish, async () => {
      bytes = await readPart(this.#absolute(path), position, length);
    });
  }

  compress(
    from: string,
    to: string,
    bytes: number,
    done: (error: DiskError | undefined, stored: number) => void,
  ): void {
    const absolute = this.#absolute(to);
    this.#thread.compress(to, this.#absolute(from), absolute, absolute + TEMPORARY_SUFFIX, bytes, done);
  }

  readCompressed(path: string): Uint8Array {
    return expandFile(path, this.read(path));
  }

  readCompressedLater(
    path: string,
    place: CompressedPlace,
    length: number,
    done: (error: DiskError | undefined, bytes: Uint8Array, next: CompressedPlace) => void,
  ): void {
    this.#thread.expand(path, this.#absolute(path), place, length, done);
  }

  rename(from: string, to: string, done: (error?: DiskError) => void): void {
    later(from, 'rename', done, async () => {
      await rename(this.#absolute(from), this.#absolute(to));
      await syncNameLater(dirname(this.#absolute(to)));
    });
  }

  open(path: string): DiskFile {
    return new FileDiskFile(
      path,
      attempt(path, 'open', () => openSync(this.#absolute(path), 'r+')),
    );
  }

  preallocate(path: string, bytes: number, done: (error?: DiskError) => void): void {
    const absolute = this.#absolute(path);
    this.#thread.preallocate(path, absolute, absolute + TEMPORARY_SUFFIX, bytes, done);
  }

  remove(path: string): void {
    attempt(path, 'remove', () => rmSync(this.#absolute(path), { force: true }));
  }

  removeLater(path: string, done: (error?: DiskError) => void): void {
    later(path, 'remove', done, () => rm(this.#absolute(path), { force: true }));
  }

  syncDirectory(directory: string): void {
    attempt(directory, 'sync', () => syncName(this.#absolute(directory)));
  }

  /** Ends the background thread. Preallocations that still run are dropped, their callbacks are not called. */
  async close(): Promise<void> {
    await this.#thread.close();
  }

  #absolute(path: string): string {
    return join(this.directory, path);
  }

  #removeUnfinished(): void {
    attempt(this.directory, 'clean up', () => {
      for (const entry of readdirSync(this.directory, { withFileTypes: true, recursive: true })) {
        if (entry.name.endsWith(TEMPORARY_SUFFIX)) rmSync(join(entry.path, entry.name), { force: true });
      }
    });
  }
}

function isInternal(name: string): boolean {
  return name === LOCK_NAME || name.startsWith(`${LOCK_NAME}.`) || name.endsWith(TEMPORARY_SUFFIX);
}

function syncName(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The kernel's copying and waiting happen in the threads of the runtime: the loop goes on. */
async function replaceFile(absolute: string, bytes: Uint8Array): Promise<void> {
  const temporary = absolute + TEMPORARY_SUFFIX;
  try {
    const file = await open(temporary, 'w', FILE_MODE);
    try {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten;
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, absolute);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncNameLater(dirname(absolute));
}

async function readPart(absolute: string, position: number, length: number): Promise<Uint8Array> {
  const handle = await open(absolute, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function syncNameLater(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Calls `done` from the event loop, not out of a promise: what it throws ends the process as anything else does. */
function later(path: string, action: string, done: (error?: DiskError) => void, work: () => Promise<void>): void {
  callbackify(work)((error) => done(error ? toDiskError(path, action, error) : undefined));
}

function attempt<T>(path: string, action: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw toDiskError(path, action, error);
  }
}
