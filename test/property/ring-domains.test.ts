import test from 'ava';
import fc from 'fast-check';
import { place, type RingNode } from 'hash-ring-ts';
import {
  arbitraryNodes,
  arbitraryPartitions,
  arbitraryReplicas,
  crowded,
  idsOf,
  machineOf,
  ownersOf,
} from './ring-topologies.js';

/** The smallest number per zone with which all replicas find machines. */
function zoneCap(nodes: readonly RingNode[], copies: number): number {
  const machinesOf = new Map<string, Set<string>>();
  for (const node of nodes) {
    machinesOf.set(node.zone, (machinesOf.get(node.zone) ?? new Set()).add(machineOf(node)));
  }
  for (let cap = 1; cap < copies; cap++) {
    const room = [...machinesOf.values()].reduce((sum, machines) => sum + Math.min(cap, machines.size), 0);
    if (room >= copies) return cap;
  }
  return copies;
}

function checkSpread(nodes: readonly RingNode[], replicas: number, rows: readonly RingNode[][]): boolean {
  const copies = Math.min(replicas, nodes.length);
  const machines = new Set(nodes.map(machineOf)).size;
  const cap = zoneCap(nodes, copies);
  return rows.every((row) => {
    const perZone = row.map((node) => row.filter((other) => other.zone === node.zone).length);
    return (
      new Set(row).size === copies &&
      new Set(row.map(machineOf)).size === Math.min(machines, copies) &&
      (machines < copies || Math.max(...perZone) <= cap)
    );
  });
}

test('owners are distinct nodes, on distinct machines while there are others, spread evenly over zones', (t) => {
  fc.assert(
    fc.property(arbitraryNodes(crowded), arbitraryPartitions, arbitraryReplicas, (nodes, partitions, replicas) => {
      return checkSpread(nodes, replicas, ownersOf(place({ nodes, partitions, replicas }), nodes));
    }),
  );
  t.pass();
});

test('the rules hold after a change from any topology to any other', (t) => {
  fc.assert(
    fc.property(
      arbitraryNodes(crowded),
      arbitraryNodes(crowded),
      arbitraryReplicas,
      arbitraryReplicas,
      (before, fresh, replicasBefore, replicas) => {
        const placement = place({ nodes: before, partitions: 64, replicas: replicasBefore });
        // Every other node that was there stays, perhaps with another weight, host and zone.
        const nodes = fresh.map((node, index) => ({
          ...node,
          id: (index % 2 === 0 && before[index]?.id) || `x${index}`,
        }));
        const previous = { ids: idsOf(before), placement };
        return checkSpread(nodes, replicas, ownersOf(place({ nodes, partitions: 64, replicas, previous }), nodes));
      },
    ),
  );
  t.pass();
});
