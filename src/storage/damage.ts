import { partitionOfHash } from '@memdb/protocol';
import { recordHash } from '../model/counter-entry.js';
import {
  kindOf,
  lengthOf,
  paddedRecordBytes,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordKeyLength,
  recordKindLength,
} from '../model/record.js';
import type { Catalog } from './catalog.js';
import type { DamagedRegion } from './damaged-region.js';
import type { LostKey } from './lost-keys.js';
import { sameBytes } from './same-bytes.js';
import { LIVE_UNIT_BYTES, type Segment } from './segment.js';
import { SEGMENT_HEADER_BYTES } from './segment-header.js';

/**
 * Forgets whatever the index holds in a damaged region: those keys are lost here until they come back. Neither header
 * nor key of such a record can be relied on, so the index is searched for its place: a walk over all of it, 5 ns a key,
 * which is rare enough.
 */
export function evictRegion(catalog: Catalog, { segment, file, start, end }: DamagedRegion): LostKey[] {
  const { index, segments, lost } = catalog;
  const evicted: LostKey[] = [];
  for (let partition = 0; partition < index.partitions; partition++) {
    const before = evicted.length;
    index.each(partition, (hash, location) => {
      if (segments.segmentAt(location) !== segment) return;
      const offset = segments.offsetAt(location);
      if (offset < start || offset >= end) return;
      evicted.push({ hash, partition, counter: catalog.highestCounter, file, offset });
    });
    for (const key of evicted.slice(before)) {
      index.findLocation(key.hash, segments.locationOf(segment, key.offset));
      index.eraseFound();
      lost.add(key);
    }
    if (evicted.length > before) recount(catalog, partition, evicted.length - before);
  }
  // Of several in one region nobody knows how long each was: what is not taken off only delays compaction.
  const known = evicted.length === 1 ? end - start : 0;
  for (const { offset } of evicted) segment.loseLive(offset, known);
  catalog.liveBytes -= known;
  return evicted;
}

/**
 * Records of this region were damaged and verify again. Meanwhile a newer version may have come: of a key that could be
 * recognized it took the place, and the damaged one was counted out by what its header said then; otherwise both are in
 * the index, and the older must go. All that may have been counted wrongly is counted anew.
 */
export function welcomeBack(catalog: Catalog, { segment, start, end }: DamagedRegion): void {
  const { bytes, view } = segment;
  let size = 0;
  for (let offset = start; offset < end; offset += size) {
    const kindLength = recordKindLength(view, offset);
    size = paddedRecordBytes(lengthOf(kindLength));
    const kind = kindOf(kindLength);
    if (kind === RecordKind.batchHeader || kind === RecordKind.meta) continue;
    const keyStart = offset + RECORD_HEADER_BYTES;
    const hash = recordHash(kind, bytes, view, keyStart, recordKeyLength(view, offset), catalog.hashSeed);
    const dropped = dropOlderTwin(catalog, segment, offset, hash);
    recount(catalog, partitionOfHash(hash, catalog.index.partitions), dropped ? 1 : 0);
  }
  recountLive(catalog, segment);
}

/** Leaves one record of this key in the index, the newest. True when there was another. */
function dropOlderTwin(catalog: Catalog, segment: Segment, offset: number, hash: number): boolean {
  const { index, segments } = catalog;
  const own = segments.locationOf(segment, offset);
  if (!index.findLocation(hash, own)) return false;
  let twin = 0;
  index.eachOfHash(hash, (location) => {
    const other = segments.segmentAt(location);
    if (location !== own && isSameKey(segment, offset, other, segments.offsetAt(location))) twin = location;
  });
  if (twin === 0) return false;
  const other = segments.segmentAt(twin);
  const otherOffset = segments.offsetAt(twin);
  const isNewer = catalog.replaces(segment, offset, other, otherOffset);
  const [loser, at] = isNewer ? [other, otherOffset] : [segment, offset];
  const loserBytes = paddedRecordBytes(lengthOf(recordKindLength(loser.view, at)));
  index.findLocation(hash, isNewer ? twin : own);
  index.eraseFound();
  catalog.noteHiding(loser, at);
  loser.loseLive(at, loserBytes);
  catalog.liveBytes -= loserBytes;
  return true;
}

function isSameKey(segment: Segment, offset: number, other: Segment, otherOffset: number): boolean {
  const { view } = segment;
  const length = recordKeyLength(view, offset);
  const isEntry = isEntryAt(view, offset);
  if (recordKeyLength(other.view, otherOffset) !== length || isEntryAt(other.view, otherOffset) !== isEntry)
    return false;
  return sameBytes(view, offset + RECORD_HEADER_BYTES, other.view, otherOffset + RECORD_HEADER_BYTES, length);
}

function isEntryAt(view: DataView, offset: number): boolean {
  return kindOf(recordKindLength(view, offset)) === RecordKind.counterEntry;
}

/** Adds up what is in force in a segment. */
export function recountLive(catalog: Catalog, segment: Segment): void {
  const { view, tail } = segment;
  let live = 0;
  for (
    let unit = segment.nextLive(SEGMENT_HEADER_BYTES);
    unit < tail;
    unit = segment.nextLive(unit + LIVE_UNIT_BYTES)
  ) {
    const offset = catalog.liveAt(segment, unit);
    if (offset !== 0) live += paddedRecordBytes(lengthOf(recordKindLength(view, offset)));
  }
  catalog.liveBytes += live - segment.liveBytes;
  segment.liveBytes = live;
}

/**
 * Counts a partition's versions anew from the index, from which `lost` were taken out: what these were is not known well
 * enough to be subtracted, not even whether they were tombstones. 30 ns a key.
 */
export function recount(catalog: Catalog, partition: number, lost: number): void {
  const { versions, segments, index } = catalog;
  const tombstones = versions.tombstones[partition];
  const serial = versions.serial[partition];
  const serialTombstones = versions.serialTombstones[partition];
  const entries = versions.entries[partition];
  versions.clear(partition);
  index.each(partition, (hash, location) => {
    const { view } = segments.segmentAt(location);
    const offset = segments.offsetAt(location);
    versions.add(partition, hash, kindOf(recordKindLength(view, offset)), view, offset);
  });
  const lostSerialTombstones = serialTombstones - versions.serialTombstones[partition];
  const lostTombstones = tombstones - versions.tombstones[partition] + lostSerialTombstones;
  const lostEntries = entries - versions.entries[partition];
  catalog.serialKeys -= serial - versions.serial[partition];
  catalog.serialTombstones -= lostSerialTombstones;
  catalog.tombstones -= lostTombstones;
  catalog.entries -= lostEntries;
  catalog.keys -= lost - lostTombstones - lostEntries;
}
