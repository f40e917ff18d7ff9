import type { WireTopology } from '@memdb/protocol';
import { partitionOfHash } from '@memdb/protocol';

/** The distinct sets of owners in an epoch; many partitions share one. */
export interface ReplicaSet {
  readonly index: number;
  /** Node numbers, ascending. */
  readonly members: readonly number[];
  /** floor(members / 2) + 1. */
  readonly majority: number;
  /** Position of this node in `members`, -1 when it owns no replica. */
  readonly selfIndex: number;
}

/** One epoch's owners in the form the request path needs: arrays by partition, no search. */
export class ReplicaSets {
  readonly epoch: number;
  readonly partitions: number;
  readonly replicas: number;
  readonly sets: readonly ReplicaSet[];
  readonly #setOfPartition: Uint16Array;
  readonly #owners: Uint16Array;

  constructor(topology: WireTopology, self: number) {
    this.epoch = topology.epoch;
    this.partitions = topology.partitions;
    this.replicas = topology.replicas;
    this.#owners = topology.owners;
    this.#setOfPartition = new Uint16Array(topology.partitions);
    const sets: ReplicaSet[] = [];
    const known = new Map<string, number>();
    for (let partition = 0; partition < topology.partitions; partition++) {
      const members = [...this.preference(partition)].sort((a, b) => a - b);
      const name = members.join(',');
      let index = known.get(name);
      if (index === undefined) {
        index = sets.length;
        known.set(name, index);
        sets.push({
          index,
          members,
          majority: Math.floor(members.length / 2) + 1,
          selfIndex: members.indexOf(self),
        });
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

  /** The owners of a key hash in the order in which they are asked. */
  preferenceOfHash(hash: number): Uint16Array {
    return this.preference(partitionOfHash(hash, this.partitions));
  }

  preference(partition: number): Uint16Array {
    return this.#owners.subarray(partition * this.replicas, (partition + 1) * this.replicas);
  }
}
