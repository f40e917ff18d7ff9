/**
 * Spare segment buffers kept: one to write into and one to copy into, while what a group of segments leaves behind waits
 * for the next ones.
 */
const SPARE_MAX = 4;
/** The same where memory is short. */
const SPARE_MAX_PRESSED = 1;

/**
 * Memory of segments that are gone, for those to come. A fresh buffer of 8 MiB costs 6 ms of first-touch faults, a
 * recycled one 0.1 ms, and a garbage collection for each few of them. Recycled memory is full of old records: checksums
 * cover the generation for that reason.
 */
export class BufferPool {
  /** The most recently used last: it is the one that the processor's cache still holds. */
  readonly #spare: ArrayBuffer[] = [];
  #spareMax: number = SPARE_MAX;
  /** Memory held for later. */
  bytes = 0;

  /** Whether memory is short: what is held beyond the least is let go. */
  set pressed(pressed: boolean) {
    this.#spareMax = pressed ? SPARE_MAX_PRESSED : SPARE_MAX;
    this.#trim();
  }

  /** Memory for a segment of so many bytes; `recycled` when it was touched before. */
  take(bytes: number): { readonly buffer: ArrayBuffer; readonly recycled: boolean } {
    const at = this.#spare.findLastIndex((spare) => spare.byteLength === bytes);
    if (at === -1) return { buffer: new ArrayBuffer(bytes), recycled: false };
    const [buffer] = this.#spare.splice(at, 1);
    this.bytes -= bytes;
    return { buffer, recycled: true };
  }

  /** Keeps it, in the place of what was not used for longest. Only sizes that are asked for are kept: powers of two. */
  give(buffer: ArrayBuffer): void {
    if (!isPowerOfTwo(buffer.byteLength)) return;
    this.#spare.push(buffer);
    this.bytes += buffer.byteLength;
    this.#trim();
  }

  #trim(): void {
    while (this.#spare.length > this.#spareMax) this.bytes -= this.#spare.shift()?.byteLength ?? 0;
  }
}

function isPowerOfTwo(bytes: number): boolean {
  return bytes > 0 && (bytes & (bytes - 1)) === 0;
}
