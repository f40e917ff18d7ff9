import type { Segment } from '../../src/storage/segment.js';
import { segmentPath } from '../../src/storage/segment-header.js';
import type { Store } from '../../src/storage/store.js';
import type { SimDiskImage } from './sim-disk-image.js';

/** Where a record lies in a log. */
export interface Place {
  readonly segment: Segment;
  readonly offset: number;
  readonly bytes: number;
  readonly key: string;
}

/** All records of keys in the log, in log order. */
export function places(store: Store): Place[] {
  const found: Place[] = [];
  const cursor = store.logCursor(0);
  while (cursor.next()) {
    if (cursor.counter === 0) continue;
    const { segment, offset, bytes, keyStart, keyLength } = cursor;
    found.push({
      segment,
      offset,
      bytes,
      key: Buffer.from(segment.bytes.slice(keyStart, keyStart + keyLength)).toString(),
    });
  }
  return found;
}

/** Flips one bit of a record in memory. */
export function flipInMemory({ segment, offset }: Place, byte: number, bit: number): void {
  segment.bytes[offset + byte] ^= 1 << bit;
}

/** Flips one bit of a record in its file. */
export function flipInFile(image: SimDiskImage, { segment, offset }: Place, byte: number, bit: number): void {
  image.file(segmentPath(segment.id))?.flipBit(offset + byte, bit);
}
