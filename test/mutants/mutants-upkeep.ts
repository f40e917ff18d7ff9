import type { Mutant } from './mutants.js';

const CATALOG = 'dist/src/storage/catalog.js';
const PURGER = 'dist/src/replication/audit/purger.js';

/** Planted in what keeps replicas equal and logs short: comparison, purge, expiry, compaction; and in scans. */
export const UPKEEP_MUTANTS: readonly Mutant[] = [
  {
    name: 'floor-ignored-for-absent-keys',
    why: 'An absent key answers as one that was never written, whatever was purged.',
    file: 'dist/src/storage/found-record.js',
    find: 'this.counter = this.lost ? 0 : floors.counters[partition];',
    replace: 'this.counter = 0;',
    isSeldomMet: true,
  },
  {
    name: 'floor-lets-old-versions-in',
    why: 'A version at or below the floor of a key that was purged is taken in.',
    file: CATALOG,
    find: 'if (held === 0) { if (this.floors.covers(partition, counter, node) && !this.lost.has(hash)) {',
    replace: 'if (held === 0) { if (false) {',
    isSeldomMet: true,
  },
  {
    name: 'purge-without-evidence',
    why: 'A replica purges without having compared with every other owner.',
    file: PURGER,
    find: 'evidenceLsn = Math.min(evidenceLsn, peers[member]?.evidence.of(partition) ?? 0);',
    replace: '',
    isSeldomMet: true,
  },
  {
    name: 'purge-on-the-evidence-of-one',
    why: 'A replica purges when it compared equal with one of the other owners.',
    file: PURGER,
    find: 'evidenceLsn = Math.min(evidenceLsn, peers[member]?.evidence.of(partition) ?? 0);',
    replace:
      'evidenceLsn = Math.min(store.syncedLsn, Math.max(...others.get(partition).map((m) => peers[m]?.evidence.of(partition) ?? 0)));',
    isSeldomMet: true,
  },
  {
    name: 'purge-ignores-clocks-of-peers',
    why: 'A floor is above what a peer may still stamp.',
    file: PURGER,
    find: 'clock = Math.min(clock, peers[member]?.peerCounter ?? 0);',
    replace: '',
    isSeldomMet: true,
  },
  {
    name: 'purged-tombstone-dropped-in-compaction',
    why: 'Compaction leaves out a purged tombstone although older segments stand.',
    file: CATALOG,
    find: 'if (kind === RecordKind.tombstone) return Fate.carry;',
    replace: 'if (kind === RecordKind.tombstone) return Fate.drop;',
    isSeldomMet: true,
  },
  {
    name: 'comparison-fetches-nothing',
    why: 'Replicas compare and do not fetch what they lack.',
    file: 'dist/src/replication/audit/peer-audit.js',
    find: 'focus.missing = missingVersions(own, versions, audit.floorOf(focus.partition), (hash) => lost.has(hash));',
    replace: 'focus.missing = [];',
    isSeldomMet: true,
  },
  {
    name: 'comparison-blind-to-stamps',
    why: 'Roots are always found equal.',
    file: 'dist/src/replication/audit/peer-audit.js',
    find: 'const different = new Set(differing);',
    replace: 'const different = new Set(); differing = [];',
    isSeldomMet: true,
  },
  {
    name: 'expired-value-comes-back',
    why: 'A quorum read returns a value whose deadline has passed.',
    file: 'dist/src/replication/read-operation.js',
    find: '(this.expiresAtMs === 0 || this.expiresAtMs > wallMs)',
    replace: 'true',
    isSeldomMet: true,
  },
  {
    name: 'stamped-again-without-deadline',
    why: 'A write that is stamped again loses its deadline.',
    file: 'dist/src/replication/write-coordinator.js',
    find: 'offset + valueAt, lengthOf(kindLength) - valueAt, expiresAtMs);',
    replace: 'offset + valueAt, lengthOf(kindLength) - valueAt, 0);',
    isSeldomMet: true,
  },
  {
    name: 'written-back-without-deadline',
    why: 'A version that a read writes to its own node loses its deadline.',
    file: 'dist/src/replication/read-coordinator.js',
    find: 'key.length, value.length, operation.expiresAtMs);',
    replace: 'key.length, value.length, 0);',
    isSeldomMet: true,
  },
  {
    name: 'scan-believes-the-first-page',
    why: 'A scan moves on to the end of the page that reaches furthest, past what other replicas have not shown.',
    file: 'dist/src/replication/merge-pages.js',
    find: 'return order(key, limit) <= 0;',
    replace: 'return true;',
    isSeldomMet: true,
  },
  {
    name: 'scan-takes-the-older-version',
    why: 'Of two versions of a key a scan believes the older one.',
    file: 'dist/src/replication/merge-pages.js',
    find: 'compareStamps(left.counter, left.node, right.counter, right.node) > 0',
    replace: 'compareStamps(left.counter, left.node, right.counter, right.node) < 0',
    isSeldomMet: true,
  },
];
