import fc from 'fast-check';
import type { Placement, RingNode } from 'hash-ring-ts';

/** How a random cluster is laid out. */
export interface Layout {
  readonly nodesMax: number;
  readonly zonesMax: number;
  readonly hostsMax: number;
}

/** Few nodes on few machines in few zones: rules collide often. */
export const crowded: Layout = { nodesMax: 16, zonesMax: 4, hostsMax: 8 };

/** Random nodes with distinct ids: equal, whole or odd weights; a host is in one zone; some nodes name no host. */
export function arbitraryNodes(layout: Layout, nodesMin = 1): fc.Arbitrary<RingNode[]> {
  const weight = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 4 }), fc.double({ min: 0.1, max: 5, noNaN: true }));
  return fc
    .tuple(
      fc.integer({ min: 1, max: layout.zonesMax }),
      fc.uniqueArray(
        fc.record({
          id: fc.string({ minLength: 1, maxLength: 12 }),
          weight,
          host: fc.nat(layout.hostsMax - 1),
          named: fc.boolean(),
        }),
        { minLength: nodesMin, maxLength: layout.nodesMax, selector: (node) => node.id },
      ),
    )
    .map(([zones, nodes]) => {
      return nodes.map(({ id, weight, host, named }) => {
        return { id, weight, zone: `zone ${host % zones}`, host: named ? `host ${host}` : '' };
      });
    });
}

/** Equal or weighted nodes, each on a host of its own, that name no zone: the common cluster. */
export function separateNodes(nodesMin: number, nodesMax: number): fc.Arbitrary<RingNode[]> {
  const node = fc.record({ id: fc.uuid(), weight: fc.constantFrom(1, 1, 1, 2, 0.5) });
  return fc
    .uniqueArray(node, { minLength: nodesMin, maxLength: nodesMax, selector: ({ id }) => id })
    .map((nodes) => nodes.map(({ id, weight }) => ({ id, weight, zone: '', host: '' })));
}

export const arbitraryPartitions: fc.Arbitrary<number> = fc.integer({ min: 0, max: 9 }).map((bits) => 2 ** bits);

export const arbitraryReplicas: fc.Arbitrary<number> = fc.integer({ min: 1, max: 5 });

/** The ids of nodes, in order. */
export function idsOf(nodes: readonly RingNode[]): string[] {
  return nodes.map((node) => node.id);
}

/** The owners of each partition, as nodes. */
export function ownersOf(placement: Placement, nodes: readonly RingNode[]): RingNode[][] {
  return Array.from({ length: placement.partitions }, (_, partition) => {
    const start = partition * placement.replicas;
    return Array.from(placement.owners.subarray(start, start + placement.replicas), (index) => {
      const node = nodes[index];
      if (node === undefined) throw new Error(`the table names node ${index} of ${nodes.length}`);
      return node;
    });
  });
}

/** How often each node comes at a rank of the preference lists, or at any. */
export function loadsOf(placement: Placement, nodes: readonly RingNode[], rank?: number): Map<RingNode, number> {
  const loads = new Map<RingNode, number>(nodes.map((node) => [node, 0]));
  for (const owners of ownersOf(placement, nodes)) {
    for (const [at, node] of owners.entries()) {
      if (rank === undefined || rank === at) loads.set(node, (loads.get(node) ?? 0) + 1);
    }
  }
  return loads;
}

/** The name of the machine that a node is on; one of its own where it names none. */
export function machineOf(node: RingNode): string {
  return node.host === '' ? `only ${node.id}` : `shared ${node.host}`;
}
