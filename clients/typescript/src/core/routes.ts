import { partitionOfHash, type WireTopology } from '@memdb/protocol';
import type { Key } from '../options.js';
import type { KeyPlace } from './explain.js';
import { KeyScratch } from './key-scratch.js';
import type { Link } from './link.js';
import type { NodeEntry } from './node-entry.js';

/**
 * Which connection a key's requests take, in one topology. The preference lists are one array of positions in
 * `nodes`, so that a route costs a multiplication and a few array reads. Hot: `bench -- client` watches it.
 */
export class Routes {
  readonly epoch: number;
  readonly hashSeed: number;
  readonly nodes: readonly NodeEntry[];
  readonly #partitions: number;
  readonly #replicas: number;
  readonly #owners: Uint16Array;
  #turn = 0;

  /** `nodes` has an entry for every node that the topology names. */
  constructor(topology: WireTopology, nodes: readonly NodeEntry[]) {
    this.epoch = topology.epoch;
    this.hashSeed = topology.hashSeed;
    this.nodes = nodes;
    this.#partitions = topology.partitions;
    this.#replicas = topology.replicas;
    const positions = new Map(nodes.map((node, position) => [node.number, position]));
    this.#owners = new Uint16Array(topology.owners.length);
    for (let at = 0; at < topology.owners.length; at++) {
      const position = positions.get(topology.owners[at] as number);
      if (position === undefined) throw new Error('invariant: the topology names an owner that it does not list');
      this.#owners[at] = position;
    }
  }

  /** Owners of each partition. */
  get replicas(): number {
    return this.#replicas;
  }

  /**
   * A connection to the first replica of `hash` that answers, counted from place `skip` of the preference list; one
   * that has gone silent when no other replica is connected; any node when no replica is (it forwards); undefined
   * when none is connected.
   */
  pick(hash: number, skip: number): Link | undefined {
    return this.pickOwner(partitionOfHash(hash, this.#partitions), hash, skip);
  }

  /** As `pick`, for whatever concerns a partition; `hash` chooses among several connections to a node. */
  pickOwner(partition: number, hash: number, skip: number): Link | undefined {
    const first = (partition % this.#partitions) * this.#replicas;
    let silent: Link | undefined;
    for (let at = 0; at < this.#replicas; at++) {
      const link = this.nodes[this.#owners[first + ((at + skip) % this.#replicas)] as number]?.pick(hash);
      if (link === undefined) continue;
      if (!link.isSilent) return link;
      silent ??= link;
    }
    return silent ?? this.any();
  }

  /** Where a key is. Not hot. */
  placeOf(key: Key): KeyPlace {
    const scratch = new KeyScratch();
    scratch.load(key);
    const hash = scratch.hash(this.hashSeed);
    const partition = partitionOfHash(hash, this.#partitions);
    const first = partition * this.#replicas;
    const positions = this.#owners.subarray(first, first + this.#replicas);
    const owners = Array.from(positions, (position) => this.nodes[position]?.number ?? 0);
    return { hash, partition, epoch: this.epoch, owners };
  }

  /** A connection to this very node. */
  ofNode(number: number): Link | undefined {
    return this.nodes.find((node) => node.number === number)?.pick(0);
  }

  /** A connection to any node, a different one each time; preferably one that is not silent. */
  any(): Link | undefined {
    let silent: Link | undefined;
    for (let at = 0; at < this.nodes.length; at++) {
      const link = this.nodes[this.#turn++ % this.nodes.length]?.pick(0);
      if (link === undefined) continue;
      if (!link.isSilent) return link;
      silent = link;
    }
    return silent;
  }
}
