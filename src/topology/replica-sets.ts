import type { WireTopology } from '@memdb/protocol';
import { partitionOfHash } from '@memdb/protocol';
import { rowOf } from './epoch-roles.js';

/**
 * The distinct sets of owners in an epoch; many partitions share one. While a change is pending these are the owners now
 * and the next ones together, and a quorum is one of each (mechanisms: Epochs).
 */
export interface ReplicaSet {
  readonly index: number;
  /** Node numbers, ascending. */
  readonly members: readonly number[];
  /** Position of this node in `members`, -1 when it owns no replica. */
  readonly selfIndex: number;
  /** This node may coordinate: it is an owner now, and not only after the change. */
  readonly coordinates: boolean;
  /** Positions of the owners, and of the next ones, as bits; `next` is 0 while no change of them is pending. */
  readonly owners: number;
  readonly next: number;
  /** floor(owners / 2) + 1, and likewise of the next owners; 0 when there are none. */
  readonly majority: number;
  readonly nextMajority: number;
}

/**
 * One epoch's owners in the form the request path needs: arrays by partition, no search. One object for the life of the
 * node, which is told of each new epoch: whoever holds it goes by the epoch in force.
 */
export class ReplicaSets {
  epoch = 0;
  partitions = 0;
  replicas = 0;
  sets: readonly ReplicaSet[] = [];
  #setOfPartition: Uint16Array = new Uint16Array(0);
  #owners: Uint16Array = new Uint16Array(0);
  readonly #self: number;

  constructor(topology: WireTopology, self: number) {
    this.#self = self;
    this.update(topology);
  }

  /** Another epoch is in force. Sets that were handed out before are of the old one. */
  update(topology: WireTopology): void {
    const { partitions, replicas, owners, pending } = topology;
    this.epoch = topology.epoch;
    this.partitions = partitions;
    this.replicas = replicas;
    this.#owners = owners;
    this.#setOfPartition = new Uint16Array(partitions);
    const sets: ReplicaSet[] = [];
    const known = new Map<string, number>();
    for (let partition = 0; partition < partitions; partition++) {
      const now = ascending(this.preference(partition));
      const then = pending === undefined ? now : ascending(rowOf(pending.owners, pending.replicas, partition));
      const name = `${now} ${then}`;
      let index = known.get(name);
      if (index === undefined) {
        index = sets.length;
        known.set(name, index);
        sets.push(replicaSet(index, now, then, this.#self));
      }
      this.#setOfPartition[partition] = index;
    }
    this.sets = sets;
  }

  /** The owners of a key hash. Hot. */
  ofHash(hash: number): ReplicaSet {
    return this.sets[this.#setOfPartition[partitionOfHash(hash, this.partitions)]];
  }

  ofPartition(partition: number): ReplicaSet {
    return this.sets[this.#setOfPartition[partition]];
  }

  /** The owners of a key hash in the order in which they are asked; of those now, while a change is pending. */
  preferenceOfHash(hash: number): Uint16Array {
    return this.preference(partitionOfHash(hash, this.partitions));
  }

  preference(partition: number): Uint16Array {
    return rowOf(this.#owners, this.replicas, partition);
  }
}

function replicaSet(index: number, now: readonly number[], then: readonly number[], self: number): ReplicaSet {
  const isMoving = now.length !== then.length || now.some((owner, at) => owner !== then[at]);
  const members = ascending(new Set([...now, ...then]));
  const bitsOf = (nodes: readonly number[]): number =>
    nodes.reduce((bits, node) => bits | (1 << members.indexOf(node)), 0);
  return {
    index,
    members,
    selfIndex: members.indexOf(self),
    coordinates: now.includes(self),
    owners: bitsOf(now),
    next: isMoving ? bitsOf(then) : 0,
    majority: Math.floor(now.length / 2) + 1,
    nextMajority: isMoving ? Math.floor(then.length / 2) + 1 : 0,
  };
}

function ascending(nodes: Iterable<number>): number[] {
  return [...nodes].sort((a, b) => a - b);
}
