import { strict as assert } from 'node:assert';
import { closeSync, fdatasync, fstatSync, readSync, writeSync } from 'node:fs';
import type { DiskError, DiskFile } from '../ports/disk.js';
import { toDiskError } from './disk-error.js';

/** One open file. */
export class FileDiskFile implements DiskFile {
  readonly path: string;
  readonly #descriptor: number;
  #syncsRunning = 0;
  #syncFailed = false;
  #closed = false;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  size(): number {
    return fstatSync(this.#descriptor).size;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    let done = 0;
    while (done < length) {
      const count = this.#attempt('read', () =>
        readSync(this.#descriptor, target, offset + done, length - done, position + done),
      );
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  write(source: Uint8Array, offset: number, length: number, position: number): void {
    assert(!this.#closed, `${this.path} is closed`);
    let done = 0;
    // A write may be short: at the end of the space, and beyond 2 GiB.
    while (done < length) {
      try {
        done += writeSync(this.#descriptor, source, offset + done, length - done, position + done);
      } catch (error) {
        throw toDiskError(this.path, 'write to', error);
      }
    }
  }

  sync(done: (error?: DiskError) => void): void {
    // After a failed sync the kernel may report the next one as good although the data never reached the device.
    assert(!this.#syncFailed, `${this.path} failed to sync before: what it holds is not known`);
    assert(!this.#closed, `${this.path} is closed`);
    this.#syncsRunning++;
    fdatasync(this.#descriptor, (error) => {
      this.#syncsRunning--;
      if (this.#closed) this.#closeWhenIdle();
      if (error !== null) this.#syncFailed = true;
      done(error === null ? undefined : toDiskError(this.path, 'sync', error));
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closeWhenIdle();
  }

  /** A descriptor closed under a running sync could be given to another file, which would be synced instead. */
  #closeWhenIdle(): void {
    if (this.#syncsRunning === 0) closeSync(this.#descriptor);
  }

  #attempt<T>(action: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw toDiskError(this.path, action, error);
    }
  }
}
