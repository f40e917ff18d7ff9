import { keyHash, partitionOfHash } from '@memdb/protocol';
import { RecordKind } from '../../src/model/record.js';
import type { Store } from '../../src/storage/store.js';
import type { SimCluster } from './sim-cluster.js';
import type { SimWorld } from './sim-world.js';

/** How often `runUntilQuiet` looks. */
const LOOK_MS = 250;

export function storeOf(cluster: SimCluster, name: string): Store {
  const { store } = cluster.node(name);
  if (store === undefined) throw new Error(`${name} has no store`);
  return store;
}

/** The hash of a key in this cluster. */
export function hashOf(cluster: SimCluster, key: string): number {
  const { hashSeed } = storeOf(cluster, cluster.names[0]).placement;
  const bytes = new Uint8Array(Buffer.from(key));
  return keyHash(bytes, new DataView(bytes.buffer), 0, bytes.length, hashSeed);
}

/** The partition of a key in this cluster. */
export function partitionOf(cluster: SimCluster, key: string): number {
  return partitionOfHash(hashOf(cluster, key), storeOf(cluster, cluster.names[0]).placement.partitions);
}

/** Keys `prefix-0`, `prefix-1` … that lie in one partition with `key`. */
export function keysBeside(cluster: SimCluster, key: string, prefix: string, count: number): string[] {
  const keys: string[] = [];
  for (let index = 0; keys.length < count; index++) {
    if (partitionOf(cluster, `${prefix}-${index}`) === partitionOf(cluster, key)) keys.push(`${prefix}-${index}`);
  }
  return keys;
}

/** Puts a version into one replica behind the back of every log: as if a node that is gone had coordinated it. */
export function smuggle(
  cluster: SimCluster,
  name: string,
  key: string,
  value: string | undefined,
  counter: number,
  node = 99,
): void {
  const store = storeOf(cluster, name);
  const bytes = Buffer.from(key + (value ?? ''));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = Buffer.byteLength(key);
  const hash = keyHash(bytes, view, 0, length, store.placement.hashSeed);
  const kind = value === undefined ? RecordKind.tombstone : RecordKind.value;
  store.append(kind, counter, node, hash, bytes, 0, length, bytes, length, bytes.length - length, 0);
  store.commit();
  // Whoever holds a version has moved its clock past it.
  cluster.node(name).lamport?.observe(counter);
}

/** Whether all nodes hold the same versions, by their tables; tombstones that some purged are left out. */
export function equalTables(cluster: SimCluster): boolean {
  const { partitions } = storeOf(cluster, cluster.names[0]).placement;
  for (let partition = 0; partition < partitions; partition++) {
    const audits = cluster.names.map((name) => storeOf(cluster, name).audit);
    const highest = audits
      .map((audit) => audit.floorOf(partition))
      .reduce((top, floor) => (floor.counter > top.counter ? floor : top));
    if (new Set(audits.map((audit) => audit.tableOf(partition, highest).join())).size !== 1) return false;
  }
  return true;
}

/** Versions that nodes fetched because of a difference. */
export function repaired(cluster: SimCluster): number {
  return metricSum(cluster, 'audit_repaired_total');
}

export function metricSum(cluster: SimCluster, metric: string): number {
  return cluster.names.reduce((sum, name) => sum + (cluster.ports(name).telemetry.metric(metric) ?? 0), 0);
}

/** Tombstones that all nodes hold together. */
export function tombstones(cluster: SimCluster): number {
  return cluster.names.reduce((sum, name) => sum + storeOf(cluster, name).stats().tombstones, 0);
}

/** Runs until something costly to ask holds (true), or for so long (false). */
export function runUntilQuiet(world: SimWorld, predicate: () => boolean, forMs: number): boolean {
  const deadlineMs = world.nowMs + forMs;
  while (!predicate()) {
    if (world.nowMs >= deadlineMs) return false;
    world.run(world.nowMs + LOOK_MS);
  }
  return true;
}
