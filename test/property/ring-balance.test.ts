import test from 'ava';
import fc from 'fast-check';
import { fairShares, place } from 'hash-ring-ts';
import {
  arbitraryNodes,
  arbitraryPartitions,
  arbitraryReplicas,
  crowded,
  idsOf,
  loadsOf,
  separateNodes,
} from './ring-topologies.js';

test('every node holds its fair share of the slots, rounded down or up', (t) => {
  fc.assert(
    fc.property(arbitraryNodes(crowded), arbitraryPartitions, arbitraryReplicas, (nodes, partitions, replicas) => {
      const shares = fairShares(nodes, replicas);
      for (const [index, load] of [...loadsOf(place({ nodes, partitions, replicas }), nodes).values()].entries()) {
        const fair = (shares[index] ?? 0) * partitions;
        if (load < Math.floor(fair + 1e-6) || load > Math.ceil(fair - 1e-6)) return false;
      }
      return true;
    }),
  );
  t.pass();
});

test('with 256 partitions on up to 25 equal nodes nobody holds more than 5 % over the fair share', (t) => {
  for (let count = 1; count <= 25; count++) {
    const nodes = Array.from({ length: count }, (_, index) => ({ id: `n${index}`, weight: 1, zone: '', host: '' }));
    const loads = loadsOf(place({ nodes, partitions: 256, replicas: 3 }), nodes);
    const fair = (256 * Math.min(3, count)) / count;
    t.true(Math.max(...loads.values()) <= 1.05 * fair, `${count} nodes`);
  }
});

test('load stays balanced after any sequence of joins and leaves', (t) => {
  const step = fc.record({ join: fc.boolean(), which: fc.nat() });
  fc.assert(
    fc.property(arbitraryNodes(crowded, 4), fc.array(step, { minLength: 1, maxLength: 12 }), (pool, steps) => {
      let nodes = pool.slice(0, 2);
      let placement = place({ nodes, partitions: 64, replicas: 3 });
      for (const { join, which } of steps) {
        const outside = pool.filter((node) => !nodes.includes(node));
        const joining = outside[which % Math.max(1, outside.length)];
        const ids = idsOf(nodes);
        if (join && joining !== undefined) nodes = [...nodes, joining];
        else if (nodes.length > 1) nodes = nodes.filter((_, index) => index !== which % nodes.length);
        placement = place({ nodes, partitions: 64, replicas: 3, previous: { ids, placement } });
        const shares = fairShares(nodes, 3);
        for (const [index, load] of [...loadsOf(placement, nodes).values()].entries()) {
          if (load > Math.ceil(64 * (shares[index] ?? 0) - 1e-6)) return false;
        }
      }
      return true;
    }),
  );
  t.pass();
});

test('a node comes first in the preference lists of its part of its partitions, and second likewise', (t) => {
  fc.assert(
    fc.property(separateNodes(3, 16), (nodes) => {
      const placement = place({ nodes, partitions: 256, replicas: 3 });
      const loads = loadsOf(placement, nodes);
      for (const rank of [0, 1, 2]) {
        for (const [node, times] of loadsOf(placement, nodes, rank)) {
          // Within one of an exact third for the first; rounding adds up over the ranks.
          if (Math.abs(times - (loads.get(node) ?? 0) / 3) > rank + 1) return false;
        }
      }
      return true;
    }),
  );
  t.pass();
});

test('a share is proportional to weight until a node, a host or a zone is full', (t) => {
  fc.assert(
    fc.property(arbitraryNodes(crowded), arbitraryReplicas, (nodes, replicas) => {
      const shares = fairShares(nodes, replicas);
      const total = shares.reduce((sum, share) => sum + share, 0);
      return (
        Math.abs(total - Math.min(replicas, nodes.length)) < 1e-6 &&
        shares.every((share) => share > 0 && share < 1 + 1e-6)
      );
    }),
  );
  const weights = [1, 2, 1.5, 0.5, 1];
  const nodes = weights.map((weight, index) => ({ id: `n${index}`, weight, zone: '', host: '' }));
  t.deepEqual(
    [...fairShares(nodes, 2)].map((share) => Math.round(share * 1e6) / 1e6),
    weights.map((weight) => Math.round((2e6 * weight) / 6) / 1e6),
  );
});
