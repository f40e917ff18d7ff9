import { RecordKind } from '../../src/model/record.js';
import { bytesOf, SMALL_SEGMENT_BYTES, StorageWorld } from '../harness/storage-world.js';

/** One record that was appended; its LSN is its place in the list, from 1. */
export interface SampleRecord {
  readonly key: string;
  readonly kind: number;
  readonly counter: number;
  /** As it lies in the log from its kind on, padding included: what does not depend on the place. */
  readonly content: Uint8Array;
}

/** A log as its process left it, and what is in it. */
export interface LogSample {
  readonly name: SampleName;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly records: readonly SampleRecord[];
}

export const SAMPLE_NAMES = ['closed', 'crashed', 'restarted', 'chain', 'compacted', 'compressed'] as const;
export type SampleName = (typeof SAMPLE_NAMES)[number];

/** A log of this size is damaged in every way that there is. */
const LOG_BYTES: number = 64 * 1024;

interface Shape {
  /** Bytes of records that are appended. */
  readonly bytes: number;
  /** Few keys: nearly all versions are replaced soon. */
  readonly keys: number;
}

const SHAPES: Readonly<Record<SampleName, Shape>> = {
  closed: { bytes: LOG_BYTES, keys: 90 },
  crashed: { bytes: LOG_BYTES, keys: 90 },
  restarted: { bytes: LOG_BYTES, keys: 90 },
  chain: { bytes: 4.5 * LOG_BYTES, keys: 3001 },
  compacted: { bytes: 4.5 * LOG_BYTES, keys: 90 },
  compressed: { bytes: SMALL_SEGMENT_BYTES + 8 * 1024, keys: 3001 },
};
/** Longer than it takes until a full segment is compressed. */
const COMPRESSION_MS = 60_000;

/**
 * - `closed`: ended in order; the closing header proves everything.
 * - `crashed`: its last batch was synced, but nothing behind it says so.
 * - `restarted`: with a crash in between: segments that the manifest names, one of them a copy, and a chain behind them.
 * - `chain`: three segments, ended by a crash. Larger than the others.
 * - `compacted`: as large, of few keys: a copy that compaction made, what it was made from, and a chain.
 * - `compressed`: a compressed file, and a chain behind it.
 */
export function logSample(name: SampleName): LogSample {
  const shape = SHAPES[name];
  const world = new StorageWorld(42, { compression: name === 'compressed' });
  const records: SampleRecord[] = [];
  const note = (key: string, kind: number, counter: number): void => {
    const { segment, offset, bytes } = world.store.appended;
    records.push({ key, kind, counter, content: segment.bytes.slice(offset + 8, offset + bytes) });
  };
  let bytes = 0;
  for (let number = 0; bytes < shape.bytes; number++) {
    const key = `key ${(number * 37) % shape.keys}`;
    // Every seventh version comes late: a newer one may stand in the log before it.
    const counter = number % 7 === 6 ? number * 2 - 60 : number * 2;
    if (number % 29 === 28) {
      world.store.putMeta(`meta ${number % 3}`, bytesOf(`${number}`.repeat(9)));
      note(`meta ${number % 3}`, RecordKind.meta, 0);
    } else if (number % 11 === 10) {
      world.delete(key, counter + 1001);
      note(key, RecordKind.tombstone, counter + 1001);
    } else {
      world.set(key, `${number}`.repeat(1 + ((number * 7) % 120)), counter + 1001);
      note(key, RecordKind.value, counter + 1001);
    }
    bytes += world.store.appended.bytes;
    if (number % 9 === 8) world.settle();
    if (name === 'restarted' && (number === 150 || number === 260)) {
      world.settle();
      world.crash({ powerLoss: false });
      world.open();
    }
  }
  world.settle();
  if (name === 'compressed') world.run(COMPRESSION_MS);
  if (name === 'closed') world.close();
  else world.crash({ powerLoss: false });
  const files = new Map<string, Uint8Array>();
  for (const [path, content] of world.image.backup()) if (content !== 'directory') files.set(path, content);
  return { name, files, records };
}
