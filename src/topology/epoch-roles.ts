import type { WireNode, WireTopology } from '@memdb/protocol';

/** Who votes on the next epoch: the members of the last committed one (mechanisms: Epochs, ×). */
export function votersOf(topology: WireTopology): number[] {
  return topology.nodes.filter(({ standing }) => standing === 'member').map(({ number }) => number);
}

export function nodeOf(topology: WireTopology, number: number): WireNode | undefined {
  return topology.nodes.find((node) => node.number === number);
}

/** A partition's preference list. */
export function rowOf(owners: Uint16Array, replicas: number, partition: number): Uint16Array {
  return owners.subarray(partition * replicas, (partition + 1) * replicas);
}

/** Partitions that a node owns in a table of owners. */
export function partitionsOf(owners: Uint16Array, replicas: number, node: number): number[] {
  const owned: number[] = [];
  for (let at = 0; at < owners.length; at++) if (owners[at] === node) owned.push(Math.floor(at / replicas));
  return owned;
}
