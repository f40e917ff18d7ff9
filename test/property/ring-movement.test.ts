import test from 'ava';
import fc from 'fast-check';
import { fairShares, movement, place, type RingNode } from 'hash-ring-ts';
import { fewestCopies } from './ring-fewest-copies.js';
import { arbitraryNodes, arbitraryReplicas, crowded, idsOf, separateNodes } from './ring-topologies.js';

/** Copies that the fair shares themselves ask for: what nodes should hold beyond what they should have held. */
function fairlyNecessary(before: readonly RingNode[], after: readonly RingNode[], partitions: number): number {
  const former = fairShares(before, 3);
  const share = new Map(before.map((node, index) => [node.id, former[index] ?? 0]));
  const shares = fairShares(after, 3);
  return after.reduce((sum, node, index) => {
    return sum + Math.max(0, (shares[index] ?? 0) - (share.get(node.id) ?? 0)) * partitions;
  }, 0);
}

function change(before: readonly RingNode[], after: readonly RingNode[], partitions: number, replicas: number) {
  const placement = place({ nodes: before, partitions, replicas });
  const next = place({ nodes: after, partitions, replicas, previous: { ids: idsOf(before), placement } });
  return { placement, next, ...movement(placement, idsOf(before), next, idsOf(after)) };
}

/**
 * A node that is in most partitions finds few others among those of a node that left, so nodes in between have to
 * make room: then no table gets by with the necessary share, and the oracle below is the measure.
 */
function noneIsInMost(nodes: readonly RingNode[]): boolean {
  return fairShares(nodes, 3).every((share) => share <= 0.5);
}

test('growing node by node from 3 to 20, every join copies exactly the slots of the node that joined', (t) => {
  const all = Array.from({ length: 20 }, (_, index) => ({ id: `n${index}`, weight: 1, zone: '', host: '' }));
  let placement = place({ nodes: all.slice(0, 3), partitions: 256, replicas: 3 });
  for (let count = 4; count <= all.length; count++) {
    const ids = idsOf(all.slice(0, count - 1));
    const nodes = all.slice(0, count);
    const next = place({ nodes, partitions: 256, replicas: 3, previous: { ids, placement } });
    const { moved } = movement(placement, ids, next, idsOf(nodes));
    t.true(moved <= Math.ceil(768 / count), `${count} nodes: ${moved} slots`);
    placement = next;
  }
});

test('a join moves at most 1.1 times the necessary share, whatever the weights', (t) => {
  fc.assert(
    fc.property(separateNodes(8, 16), (nodes) => {
      const before = nodes.slice(1);
      fc.pre(noneIsInMost(before) && noneIsInMost(nodes));
      return change(before, nodes, 256, 3).moved <= 1.1 * fairlyNecessary(before, nodes, 256) + 1;
    }),
  );
  t.pass();
});

test('a leave moves at most 1.1 times what the node held, whatever the weights', (t) => {
  fc.assert(
    fc.property(separateNodes(8, 16), (nodes) => {
      const after = nodes.slice(1);
      fc.pre(noneIsInMost(nodes) && noneIsInMost(after));
      const { moved, placement } = change(nodes, after, 256, 3);
      const held = placement.owners.reduce((sum, owner) => sum + (owner === 0 ? 1 : 0), 0);
      return moved <= 1.1 * held + 1;
    }),
  );
  t.pass();
});

test('with any hosts, zones and weights a join or leave copies within 1.1 times the fewest that any table could', (t) => {
  fc.assert(
    fc.property(arbitraryNodes(crowded, 3), arbitraryReplicas, fc.boolean(), (nodes, replicas, join) => {
      const [before, after] = join ? [nodes.slice(1), nodes] : [nodes, nodes.slice(1)];
      const { placement, next, moved } = change(before, after, 32, replicas);
      return moved <= 1.1 * fewestCopies(placement, before, next, after) + 1;
    }),
    { numRuns: 60 },
  );
  t.pass();
});

test('no table moves fewer slots than the loads demand', (t) => {
  fc.assert(
    fc.property(arbitraryNodes(crowded), arbitraryNodes(crowded), arbitraryReplicas, (before, after, replicas) => {
      const { moved, necessary } = change(before, after, 64, replicas);
      return necessary <= moved && moved <= 64 * Math.min(replicas, after.length);
    }),
  );
  t.pass();
});
