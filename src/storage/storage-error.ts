/**
 * - `corrupt`: bytes that were proven durable are damaged or gone; the node must not serve this directory.
 * - `unsupported-format`: written by a version that this one cannot read.
 * - `bad-run`: a run of records from a peer does not verify; nothing of it was stored.
 * - `full`: no room, not even in the reserve for meta records.
 * - `no-codec`: a file is compressed, and nothing is installed that reads it.
 * - `io`: the disk failed.
 */
export type StorageErrorCode = 'corrupt' | 'unsupported-format' | 'bad-run' | 'full' | 'no-codec' | 'io';

/** A failure of the log. `file` and `offset` name the place; the message says what a person can do. */
export class StorageError extends Error {
  readonly code: StorageErrorCode;
  readonly file: string;
  readonly offset: number;
  constructor(code: StorageErrorCode, file: string, offset: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'StorageError';
    this.code = code;
    this.file = file;
    this.offset = offset;
  }
}
