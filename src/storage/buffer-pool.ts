/** Spare segment buffers kept: one to write into while another is being copied out of. */
const SPARE_MAX = 2;

/**
 * Memory of segments that are gone, for those to come. A fresh buffer of 8 MiB costs 6 ms of first-touch faults, a
 * recycled one 0.1 ms. Recycled memory is full of old records: checksums cover the generation for that reason.
 */
export class BufferPool {
  readonly #spare: ArrayBuffer[] = [];
  readonly #segmentBytes: number;

  constructor(segmentBytes: number) {
    this.#segmentBytes = segmentBytes;
  }

  /** Memory held for later. */
  get bytes(): number {
    return this.#spare.length * this.#segmentBytes;
  }

  /** Memory for a segment; `recycled` when it was touched before. */
  take(): { readonly buffer: ArrayBuffer; readonly recycled: boolean } {
    const buffer = this.#spare.pop();
    if (buffer !== undefined) return { buffer, recycled: true };
    return { buffer: new ArrayBuffer(this.#segmentBytes), recycled: false };
  }

  give(buffer: ArrayBuffer): void {
    if (buffer.byteLength === this.#segmentBytes && this.#spare.length < SPARE_MAX) this.#spare.push(buffer);
  }
}
