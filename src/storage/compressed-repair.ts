import type { Disk, DiskError } from '../ports/disk.js';
import { soundEnd } from './record-check.js';
import type { Segment } from './segment.js';
import { compressedPath, repairPath } from './segment-header.js';

/**
 * Makes the compressed file of a segment again from memory. The damaged one stays until the new one is durable; a crash
 * in between leaves a file that the next start removes.
 */
export class CompressedRepair {
  readonly segment: Segment;
  readonly #disk: Disk;
  #verified = 0;

  /** The segment stays in memory until `release`. */
  constructor(disk: Disk, segment: Segment) {
    this.#disk = disk;
    this.segment = segment;
    segment.pins++;
  }

  release(): void {
    this.segment.pins--;
  }

  /** Verifies about so many bytes of memory more, all of it with as many calls as that takes. */
  verify(bytes: number): 'more' | 'sound' | 'damaged' {
    const { segment } = this;
    const end = Math.min(this.#verified + bytes, segment.tail);
    this.#verified = soundEnd(segment, this.#verified, end);
    if (this.#verified < end) return 'damaged';
    return this.#verified < segment.tail ? 'more' : 'sound';
  }

  /** `done` says why there is no new file. */
  write(done: (error?: DiskError) => void): void {
    const { id, bytes, tail } = this.segment;
    const raw = repairPath(id);
    this.#disk.replaceLater(raw, bytes.subarray(0, tail), (notWritten) => {
      if (notWritten !== undefined) {
        done(notWritten);
        return;
      }
      this.#disk.compress(raw, compressedPath(id), tail, (notCompressed) => {
        this.#disk.removeLater(raw, (notRemoved) => done(notCompressed ?? notRemoved));
      });
    });
  }
}
