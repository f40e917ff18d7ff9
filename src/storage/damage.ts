import { kindOf, recordKindLength } from '../model/record.js';
import type { Catalog } from './catalog.js';
import type { DamagedRegion } from './damaged-region.js';
import type { LostKey } from './lost-keys.js';

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
 * Counts a partition's versions anew from the index, from which `lost` were taken out: what these were is not known well
 * enough to be subtracted, not even whether they were tombstones.
 */
function recount(catalog: Catalog, partition: number, lost: number): void {
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
