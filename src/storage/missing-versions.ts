import { type AuditVersion, compareStamps } from '@memdb/protocol';
import { RecordKind } from '../model/record.js';
import { compareVersions } from '../model/version-order.js';
import type { Floor } from './floors.js';

/**
 * Which of a peer's versions in a bucket this replica lacks: those that are newer than what it holds, or of keys that it
 * does not hold. Keys are named by their hash here; where two share one, on either side, each version is judged alone.
 * What lies at or below the floor of this replica is not lacking: it was purged here, or is older than all
 * that was; unless the key was lost here to damage.
 */
export function missingVersions<V extends AuditVersion>(
  own: readonly AuditVersion[],
  theirs: readonly V[],
  floor: Floor,
  isLost: (hash: number) => boolean,
): V[] {
  const ownByHash = byHash(own);
  const theirsByHash = byHash(theirs);
  const missing: V[] = [];
  for (const [hash, versions] of theirsByHash) {
    const held = ownByHash.get(hash) ?? [];
    for (const version of versions) {
      // No floor speaks of entries of counters, nor of serial keys.
      const covered =
        version.kind !== RecordKind.counterEntry &&
        version.kind !== RecordKind.serial &&
        compareStamps(version.counter, version.node, floor.counter, floor.node) <= 0;
      if (held.length === 0 && covered && !isLost(hash)) continue;
      if (held.some((other) => compare(other, version) === 0)) continue;
      const oneKey = held.length <= 1 && versions.length === 1;
      if (oneKey && held.some((other) => compare(other, version) > 0)) continue;
      missing.push(version);
    }
  }
  return missing;
}

function compare(a: AuditVersion, b: AuditVersion): number {
  return compareVersions(a.counter, a.node, a.kind, b.counter, b.node, b.kind);
}

function byHash<V extends AuditVersion>(versions: readonly V[]): Map<number, V[]> {
  const map = new Map<number, V[]>();
  for (const version of versions) {
    const known = map.get(version.hash);
    if (known === undefined) map.set(version.hash, [version]);
    else known.push(version);
  }
  return map;
}
