import { expandFile } from '../../src/platform/expand-file.js';
import { type Disk, DiskError, type DiskFile } from '../../src/ports/disk.js';

/** A data directory as a start sees it, in memory and without any delay: half a million starts take minutes. */
export class MemoryFiles implements Disk {
  readonly files: Map<string, Uint8Array>;

  /** The contents are shared with the caller: a start that writes replaces whole files. */
  constructor(files: ReadonlyMap<string, Uint8Array>) {
    this.files = new Map(files);
  }

  lock(): void {}
  unlock(): void {}
  makeDirectory(): void {}
  syncDirectory(): void {}

  list(directory: string): string[] {
    const start = `${directory}/`;
    return [...this.files.keys()]
      .filter((path) => path.startsWith(start))
      .map((path) => path.slice(start.length))
      .sort();
  }

  exists(path: string): boolean {
    return this.files.has(path);
  }

  read(path: string): Uint8Array {
    const content = this.files.get(path);
    if (content === undefined) throw new DiskError('missing', path, `${path} is missing`);
    return content;
  }

  replace(path: string, bytes: Uint8Array): void {
    this.files.set(path, bytes.slice());
  }

  remove(path: string): void {
    this.files.delete(path);
  }

  open(path: string): DiskFile {
    return new MemoryFile(path, this.read(path));
  }

  replaceLater(): never {
    throw new Error('a start does not wait for the disk');
  }
  compress(): never {
    throw new Error('a start does not wait for the disk');
  }
  readCompressed(path: string): Uint8Array {
    return expandFile(path, this.read(path));
  }
  readCompressedLater(): never {
    throw new Error('a start does not wait for the disk');
  }
  rename(): never {
    throw new Error('a start does not wait for the disk');
  }
  preallocate(): never {
    throw new Error('a start does not wait for the disk');
  }
  readLater(): never {
    throw new Error('a start does not wait for the disk');
  }
  removeLater(): never {
    throw new Error('a start does not wait for the disk');
  }
}

class MemoryFile implements DiskFile {
  readonly path: string;
  readonly #content: Uint8Array;

  constructor(path: string, content: Uint8Array) {
    this.path = path;
    this.#content = content;
  }

  size(): number {
    return this.#content.length;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    const part = this.#content.subarray(position, position + length);
    target.set(part, offset);
    return part.length;
  }

  close(): void {}

  write(): never {
    throw new Error('a start writes whole files only');
  }
  sync(): never {
    throw new Error('a start does not wait for the disk');
  }
}
