import type { WireFormerOwner, WireTopology } from '@memdb/protocol';

/**
 * What former owners say in the present epoch that they still hold. Who has not said that it is rid of a partition may
 * hold what nobody else does: nothing of the partition is purged, and the epoch goes on naming it.
 */
export class HoldingsHeard {
  /** By former owner, in this epoch: the partitions that it says it holds. */
  readonly #heard: Map<number, ReadonlySet<number>> = new Map();
  #former: readonly WireFormerOwner[] = [];

  onEpoch(topology: WireTopology): void {
    this.#heard.clear();
    this.#former = topology.former;
  }

  /** A node says, in the present epoch, what it holds. Returns the partitions that it is rid of. */
  note(node: number, partitions: readonly number[]): number[] {
    const held = new Set(partitions);
    this.#heard.set(node, held);
    return this.#former.flatMap((entry) =>
      entry.node === node && !held.has(entry.partition) ? [entry.partition] : [],
    );
  }

  isReleased({ partition, node }: WireFormerOwner): boolean {
    const held = this.#heard.get(node);
    return held !== undefined && !held.has(partition);
  }
}
