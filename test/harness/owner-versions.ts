import { keyHash, partitionOfHash } from '@memdb/protocol';
import { lengthOf, RecordKind, recordKindLength } from '../../src/model/record.js';
import type { FoundRecord } from '../../src/storage/found-record.js';
import { COPY_ID_FIRST, compressedPath, segmentPath } from '../../src/storage/segment-header.js';
import { rowOf } from '../../src/topology/epoch-roles.js';
import type { SeenStamp } from './history.js';
import type { SimCluster } from './sim-cluster.js';
import type { SimWorld } from './sim-world.js';

/** What one owner of a key holds. The bytes are read from its log when asked for: ask before anything else runs. */
export interface HeldVersion {
  readonly node: string;
  readonly stamp: SeenStamp;
  /** It has no record of the key: the stamp is the floor below which it purged tombstones. */
  readonly absent: boolean;
  /** It has a deadline: it may be purged on one replica and still stand on another. */
  readonly expires: boolean;
  /** The node says so, and its disk bears it out. */
  readonly durable: boolean;
  /** The value as text; undefined for a tombstone, and for a key that it never had. */
  text(): string | undefined;
}

export type OwnerVersion = 'down' | HeldVersion;

/** What each owner of a key in the newest epoch holds right now; those of a change that is pending are none yet. */
export function ownersOf(world: SimWorld, cluster: SimCluster, key: string): OwnerVersion[] {
  const bytes = Buffer.from(key);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const running = cluster.names.map((name) => ({ name, node: cluster.node(name) }));
  // What is acknowledged in an earlier epoch stands on a majority of the owners of each later one too.
  const { topology } = cluster;
  if (topology === undefined) return [];
  const hash = keyHash(bytes, view, 0, bytes.length, topology.hashSeed);
  const row = rowOf(topology.owners, topology.replicas, partitionOfHash(hash, topology.partitions));
  return [...row].map((member): OwnerVersion => {
    const owner = running.find(({ node }) => node.number === member);
    const store = owner?.node.store;
    if (owner === undefined || store === undefined || !world.isRunning(owner.name)) return 'down';
    const { name } = owner;
    if (!store.lookup(hash, bytes, view, 0, bytes.length)) {
      // An absent key answers with the floor of its partition.
      const { counter, node } = store.found;
      return {
        node: name,
        stamp: { counter, node },
        absent: true,
        expires: false,
        durable: true,
        text: () => undefined,
      };
    }
    const { counter, node, expiresAtMs } = store.found;
    const durable = store.found.durable && isOnDisk(world, cluster, name, store.found);
    const text = textOf(store.found);
    return { node: name, stamp: { counter, node }, absent: false, expires: expiresAtMs !== 0, durable, text };
  });
}

/** Reads the value that a lookup found, later in the same turn. What a flipped length leads out of is no text. */
export function textOf({ kind, bytes, valueStart, valueLength }: FoundRecord): () => string | undefined {
  return () => {
    const start = bytes.byteOffset + valueStart;
    if (kind !== RecordKind.value || valueLength < 0 || start + valueLength > bytes.buffer.byteLength) return undefined;
    return Buffer.from(bytes.buffer, start, valueLength).toString();
  };
}

/**
 * Whether the record stands in its file, and in mode `sync` would after any power cut: what the simulated disk knows,
 * whatever the node believes. The file of a copy that compaction makes comes later: the older one counts until then. A disk
 * whose bits were flipped is believed.
 */
function isOnDisk(world: SimWorld, cluster: SimCluster, name: string, { segment, offset }: FoundRecord): boolean {
  const image = world.disk(name);
  if (segment === undefined || image.isDamaged) return true;
  // A compressed file was synced as a whole before it took the place of the other one.
  if (segment.compressed) return image.has(compressedPath(segment.id));
  const path = segmentPath(segment.id);
  if (segment.id >= COPY_ID_FIRST && !image.hasDurably(path)) return true;
  const end = offset + lengthOf(recordKindLength(segment.view, offset));
  return image.holds(path, segment.bytes, offset, end, offset, cluster.durability === 'sync');
}
