import { compareStamps, keyHash, partitionOfHash } from '@memdb/protocol';
import type { Store } from '../../src/storage/store.js';
import type { BrokenPromises } from './broken-promise.js';
import { type History, type SeenStamp, stampText, valueText } from './history.js';
import { textOf } from './owner-versions.js';
import type { SimCluster } from './sim-cluster.js';
import type { SimWorld } from './sim-world.js';

interface HashedKey {
  readonly key: string;
  readonly hash: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

interface Held {
  readonly name: string;
  readonly stamp: SeenStamp;
  readonly value: string;
}

const LOOK_MS = 100;

/**
 * A node that has a floor knows what became of everything at or below it (decisions: Purging on own evidence): of each
 * value that was acknowledged, or read at quorum, and stands there on another owner, it holds that version or a newer
 * one. Looked at whenever a floor has risen, which is the moment at which a purge without evidence shows.
 */
export class FloorWatch {
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #history: History;
  readonly #broken: BrokenPromises;
  readonly #keys: readonly string[];
  /** By partition, once the cluster is founded. */
  #partitions: HashedKey[][] = [];
  /** By node and partition: the floor that was looked at, of which run of the node. */
  readonly #seen: Map<string, SeenStamp> = new Map();
  #untilMs = 0;

  constructor(world: SimWorld, cluster: SimCluster, keys: readonly string[], history: History, broken: BrokenPromises) {
    this.#world = world;
    this.#cluster = cluster;
    this.#keys = keys;
    this.#history = history;
    this.#broken = broken;
  }

  run(untilMs: number): void {
    this.#untilMs = untilMs;
    this.#world.at(this.#world.nowMs + LOOK_MS, this.#step);
  }

  /** Looks at all floors that have risen since the last time. */
  look(): void {
    for (const name of this.#cluster.names) {
      const store = this.#storeOf(name);
      if (store === undefined) continue;
      if (this.#partitions.length === 0) this.#partitions = partitionsOf(this.#keys, store);
      for (const [partition, keys] of this.#partitions.entries()) {
        if (keys.length === 0) continue;
        const { counter, node } = store.audit.floorOf(partition);
        const place = `${name}/${partition}`;
        const seen = this.#seen.get(place);
        if (counter === 0 || (seen?.counter === counter && seen.node === node)) continue;
        this.#seen.set(place, { counter, node });
        this.#check(name, store, partition, { counter, node }, keys);
      }
    }
  }

  readonly #step = (): void => {
    this.look();
    if (this.#world.nowMs < this.#untilMs) this.run(this.#untilMs);
  };

  #check(name: string, store: Store, partition: number, floor: SeenStamp, keys: readonly HashedKey[]): void {
    const others = this.#othersOf(name, partition);
    for (const key of keys) {
      for (const other of others) {
        const held = this.#valueAt(other, key);
        if (held === undefined || order(held.stamp, floor) > 0 || knows(store, key, held.stamp)) continue;
        if (!this.#isPromised(key.key, held)) continue;
        const what = `${valueText(held.value)}@${stampText(held.stamp)}, which ${held.name} holds`;
        this.#broken.add(
          `the floor of ${name} in partition ${partition} is ${stampText(floor)}, and it does not know ${what}`,
          key.key,
        );
      }
    }
  }

  /**
   * The owners beside this one, and those who were, as it sees them, that are in its epoch. Nobody else's version counts:
   * it was taken for a change that was aborted.
   */
  #othersOf(name: string, partition: number): string[] {
    const { topology, number, replication } = this.#cluster.node(name);
    if (topology === undefined || replication?.sets.preference(partition).includes(number) !== true) return [];
    const { members } = replication.sets.ofPartition(partition);
    const former = topology.former.filter((entry) => entry.partition === partition).map(({ node }) => node);
    const numbers = new Set([...members, ...former]);
    return this.#cluster.names.filter((other) => {
      const { number: its, topology: seen } = this.#cluster.node(other);
      return other !== name && numbers.has(its) && seen?.epoch === topology.epoch;
    });
  }

  /** A value that does not expire and is durable, at a node whose bits do not flip. */
  #valueAt(name: string, { hash, bytes, view }: HashedKey): Held | undefined {
    const store = this.#world.disk(name).isDamaged ? undefined : this.#storeOf(name);
    if (store?.lookup(hash, bytes, view, 0, bytes.length) !== true) return undefined;
    const { durable, expiresAtMs, counter, node } = store.found;
    const value = textOf(store.found)();
    if (value === undefined || !durable || expiresAtMs !== 0) return undefined;
    return { name, stamp: { counter, node }, value };
  }

  /** Whether somebody was told that it is there. */
  #isPromised(key: string, { stamp, value }: Held): boolean {
    const { writes, reads } = this.#history;
    return (
      writes.some((write) => write.key === key && write.outcome === 'acknowledged' && write.value === value) ||
      reads.some(
        (read) => read.key === key && read.quorum && read.stamp !== undefined && order(read.stamp, stamp) === 0,
      )
    );
  }

  #storeOf(name: string): Store | undefined {
    return this.#world.isRunning(name) ? this.#cluster.node(name).store : undefined;
  }
}

/** Whether a version, or a newer one, is held. */
function knows(store: Store, { hash, bytes, view }: HashedKey, stamp: SeenStamp): boolean {
  return store.lookup(hash, bytes, view, 0, bytes.length) && order(store.found, stamp) >= 0;
}

function order(left: SeenStamp, right: SeenStamp): number {
  return compareStamps(left.counter, left.node, right.counter, right.node);
}

function partitionsOf(keys: readonly string[], store: Store): HashedKey[][] {
  const { partitions, hashSeed, configured } = store.placement;
  if (!configured) return [];
  const lists: HashedKey[][] = Array.from({ length: partitions }, () => []);
  for (const key of keys) {
    const bytes = new Uint8Array(Buffer.from(key));
    const view = new DataView(bytes.buffer);
    const hash = keyHash(bytes, view, 0, bytes.length, hashSeed);
    lists[partitionOfHash(hash, partitions)].push({ key, hash, bytes, view });
  }
  return lists;
}
