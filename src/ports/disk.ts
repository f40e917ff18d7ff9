/**
 * The data directory. Paths are relative to it and use `/`.
 *
 * Synchronous calls either finish in the page cache or happen only while a node starts; everything that may
 * wait for a device takes a callback. What was written is durable only after `sync` (contents) and, for a name
 * that was created, renamed or removed, after `syncDirectory`.
 */
export interface Disk {
  /** Creates the data directory and takes its lock. Throws `DiskError` kind `locked` when another process holds it. */
  lock(): void;
  unlock(): void;
  /** File names in a directory, sorted; empty when the directory does not exist. */
  list(directory: string): string[];
  makeDirectory(directory: string): void;
  exists(path: string): boolean;
  /** The whole file. Throws `DiskError` kind `missing`. */
  read(path: string): Uint8Array;
  /** Replaces a small file as a whole, durable on return: temporary file, sync, rename, directory sync. Start-up only. */
  replace(path: string, bytes: Uint8Array): void;
  /**
   * As `replace`, off the event loop and at any time: the old content or the new one, never a mixture. `bytes` must not
   * change before `done` is called.
   */
  replaceLater(path: string, bytes: Uint8Array, done: (error?: DiskError) => void): void;
  /**
   * Reads up to `length` bytes at `position` off the event loop: a device may have to be asked. Fewer come at the end of
   * the file. `bytes` is the reader's own.
   */
  readLater(
    path: string,
    position: number,
    length: number,
    done: (error: DiskError | undefined, bytes: Uint8Array) => void,
  ): void;
  /**
   * Puts the first `bytes` bytes of a file, compressed, into another file, off the event loop: `to` and its name are
   * durable when `done` is called, `stored` is its size. What is read must not change meanwhile.
   */
  compress(from: string, to: string, bytes: number, done: (error: DiskError | undefined, stored: number) => void): void;
  /**
   * The content of a file that `compress` made. Throws `DiskError` kind `missing`, `damaged` or `no-codec`. Holds the event
   * loop for as long as it takes: at a start, or when there is no other copy.
   */
  readCompressed(path: string): Uint8Array;
  /**
   * Reads on in a file that `compress` made, off the event loop: about `length` bytes of its content from `place` on,
   * every checksum verified; none at its end. `next` is where the next call goes on. Kinds of errors as above.
   */
  readCompressedLater(
    path: string,
    place: CompressedPlace,
    length: number,
    done: (error: DiskError | undefined, bytes: Uint8Array, next: CompressedPlace) => void,
  ): void;
  /** Gives a file another name in the same directory, durable when `done` is called. Nothing has that name yet. */
  rename(from: string, to: string, done: (error?: DiskError) => void): void;
  /** Opens an existing file for reading and writing. Throws `DiskError` kind `missing`. */
  open(path: string): DiskFile;
  /** Creates `path` with `bytes` real zero bytes, file and name durable when `done` is called without an error. */
  preallocate(path: string, bytes: number, done: (error?: DiskError) => void): void;
  /** Removes a file; one that does not exist is no error. Small files, or while a node starts. */
  remove(path: string): void;
  /** Removes a file off the event loop: to give the blocks of a large one back takes milliseconds. */
  removeLater(path: string, done: (error?: DiskError) => void): void;
  /** Makes the names in a directory durable. */
  syncDirectory(directory: string): void;
}

/** How far a compressed file was read: what `readCompressedLater` gave, or its beginning. */
export interface CompressedPlace {
  readonly content: number;
  readonly file: number;
}

export const COMPRESSED_START: CompressedPlace = { content: 0, file: 0 };

export interface DiskFile {
  readonly path: string;
  size(): number;
  /** Reads up to `length` bytes at `position` into `target` at `offset`; returns how many there were. */
  read(target: Uint8Array, offset: number, length: number, position: number): number;
  /** Writes all of the range, into the page cache. Throws `DiskError` kind `full` or `io`; part may have been written. */
  write(source: Uint8Array, offset: number, length: number, position: number): void;
  /** Makes all that was written before this call durable. An error is final: never call it again on this file. */
  sync(done: (error?: DiskError) => void): void;
  close(): void;
}

/** `damaged`: a checksum does not match. `no-codec`: nothing is installed that could compress or expand. */
export type DiskErrorKind = 'full' | 'io' | 'missing' | 'locked' | 'damaged' | 'no-codec';

/** An expected failure of the disk. `kind` says what the caller can do; never match on the message. */
export class DiskError extends Error {
  readonly kind: DiskErrorKind;
  readonly path: string;
  /** Of kind `damaged`: where in the file. */
  readonly offset: number;
  constructor(kind: DiskErrorKind, path: string, message: string, cause?: unknown, offset: number = 0) {
    super(message, { cause });
    this.name = 'DiskError';
    this.kind = kind;
    this.path = path;
    this.offset = offset;
  }
}
