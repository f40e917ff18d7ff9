import { counterHash, keyHash, readCounter, writeCounter } from '@memdb/protocol';
import { ENTRY_ID_BYTES, RecordKind } from './record.js';

/**
 * The record of one entry of a counter (docs/log-format.md). A counter has an entry for each node and generation that
 * added to it; only that node ever raises the sums of its entry, each time with a newer stamp. So of two records of an
 * entry the one with the newer stamp has both sums at least as large: to keep the newest is to merge.
 *
 *     key    the counter's name, u16 node number, u64 generation
 *     value  u64 added, u64 subtracted
 *
 * All entries of a counter hash alike, by the name only: they lie in one partition, and the index leads to all of them.
 */
export function writeEntryId(view: DataView, at: number, node: number, generation: number): void {
  view.setUint16(at, node, true);
  writeCounter(view, at + 2, generation);
}
/** The generation in the id at `at`, `ENTRY_ID_BYTES` before the end of the key; its node is that of the stamp. */
export function entryGeneration(view: DataView, at: number): number {
  return readCounter(view, at + 2);
}

/** Hash of what a record of `kind` with this key belongs to: the key, or the counter. Hot. */
export function recordHash(
  kind: number,
  bytes: Uint8Array,
  view: DataView,
  keyStart: number,
  keyLength: number,
  seed: number,
): number {
  return kind === RecordKind.counterEntry
    ? counterHash(bytes, view, keyStart, keyLength - ENTRY_ID_BYTES, seed)
    : keyHash(bytes, view, keyStart, keyLength, seed);
}
