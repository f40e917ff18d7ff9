import test from 'ava';
import fc from 'fast-check';
import { place } from 'hash-ring-ts';
import { arbitraryNodes, crowded, idsOf, ownersOf } from './ring-topologies.js';

test('the table does not depend on the order in which nodes are given, before or after a change', (t) => {
  fc.assert(
    fc.property(
      arbitraryNodes(crowded, 2).chain((nodes) => {
        return fc.record({
          nodes: fc.constant(nodes),
          shuffled: fc.shuffledSubarray(nodes, { minLength: nodes.length }),
        });
      }),
      ({ nodes, shuffled }) => {
        const shape = { partitions: 64, replicas: 3 };
        const a = place({ nodes, ...shape });
        const b = place({ nodes: shuffled, ...shape });
        const rows = ownersOf(a, nodes).map(idsOf);
        if (JSON.stringify(rows) !== JSON.stringify(ownersOf(b, shuffled).map(idsOf))) return false;

        const gone = nodes[0]?.id;
        const left = nodes.filter((node) => node.id !== gone);
        const leftShuffled = shuffled.filter((node) => node.id !== gone);
        const c = place({ nodes: left, ...shape, previous: { ids: idsOf(nodes), placement: a } });
        const d = place({ nodes: leftShuffled, ...shape, previous: { ids: idsOf(shuffled), placement: b } });
        return JSON.stringify(ownersOf(c, left).map(idsOf)) === JSON.stringify(ownersOf(d, leftShuffled).map(idsOf));
      },
    ),
  );
  t.pass();
});

test('a topology that did not change keeps its table', (t) => {
  fc.assert(
    fc.property(arbitraryNodes(crowded), (nodes) => {
      const placement = place({ nodes, partitions: 64, replicas: 3 });
      const again = place({ nodes, partitions: 64, replicas: 3, previous: { ids: idsOf(nodes), placement } });
      return again.owners.every((owner, slot) => owner === placement.owners[slot]);
    }),
  );
  t.pass();
});
