import type { DiskFile } from '../ports/disk.js';

/** Small enough to stay in a processor's cache until it was looked at and copied, large enough for few calls. */
const CHUNK_BYTES: number = 64 * 1024;

/**
 * Reads the files of segments at a start, piece by piece through one small buffer.
 *
 * A segment's file has its full size from the beginning, so much of the last one is zeros. Memory that nobody wrote to is
 * zeros as well, and costs neither RAM nor the time of a first touch: pieces of zeros are not copied. What is copied
 * gets there from a warm buffer, which is no slower than to let the system fill fresh memory, and up to a third faster where
 * first touches are dear.
 */
export class StartReader {
  readonly #chunk: Uint8Array = new Uint8Array(CHUNK_BYTES);
  readonly #words: Int32Array = new Int32Array(this.#chunk.buffer);

  /**
   * Reads the file into `memory`, which is `fresh` when it holds zeros. Returns where in the file zeros begin that go on to
   * the end of `memory`.
   */
  load(file: DiskFile, memory: Uint8Array, fresh: boolean): number {
    let end = 0;
    for (let at = 0; at < memory.length; at += CHUNK_BYTES) {
      const bytes = this.#next(file, at, memory.length);
      if (bytes > 0) {
        memory.set(this.#chunk.subarray(0, bytes), at);
        end = at + bytes;
      } else if (!fresh) {
        memory.fill(0, at, at + CHUNK_BYTES);
      }
    }
    return end;
  }

  /** Whether a file holds nothing but zeros. */
  isAllZero(file: DiskFile): boolean {
    const size = file.size();
    for (let at = 0; at < size; at += CHUNK_BYTES) if (this.#next(file, at, size) > 0) return false;
    return true;
  }

  /** Bytes of the piece at `position` that is in the buffer now; 0 when they are zeros. */
  #next(file: DiskFile, position: number, end: number): number {
    const bytes = file.read(this.#chunk, 0, Math.min(CHUNK_BYTES, end - position), position);
    const words = this.#words;
    const stop = (bytes + 3) >>> 2;
    this.#chunk.fill(0, bytes, stop * 4);
    for (let word = 0; word < stop; word++) if (words[word] !== 0) return bytes;
    return 0;
  }
}
