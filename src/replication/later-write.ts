import { RECORD_HEADER_BYTES, RecordKind, recordKeyLength } from '../model/record.js';
import { sameBytes } from '../storage/same-bytes.js';
import type { Segment } from '../storage/segment.js';
import type { Store } from '../storage/store.js';

/**
 * Whether this node coordinated a later write to the key of the record at `offset`, whose LSN is `lsn`: one that it may
 * have answered already, since fewer owners were to hold it. Mostly the newest record of the key tells; where that came
 * from another coordinator, the log since then is walked. Seldom asked: writes to one key at different levels, pipelined,
 * while somebody else writes the same key.
 */
export function hasLaterWrite(
  store: Store,
  self: number,
  hash: number,
  segment: Segment,
  offset: number,
  lsn: number,
): boolean {
  const { bytes, view } = segment;
  const keyStart = offset + RECORD_HEADER_BYTES;
  const keyLength = recordKeyLength(view, offset);
  if (!store.lookup(hash, bytes, view, keyStart, keyLength)) return false;
  if (store.found.lsn <= lsn) return false;
  if (store.found.node === self) return true;
  const cursor = store.logCursor(lsn);
  while (cursor.next()) {
    const isData = cursor.kind === RecordKind.value || cursor.kind === RecordKind.tombstone;
    if (!isData || cursor.node !== self || cursor.keyLength !== keyLength) continue;
    if (sameBytes(cursor.segment.view, cursor.keyStart, view, keyStart, keyLength)) return true;
  }
  return false;
}
