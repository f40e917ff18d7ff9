import { createHash } from 'node:crypto';
import test from 'ava';
import { movement, place, type RingNode } from 'hash-ring-ts';

function node(id: string, where: Partial<RingNode> = {}): RingNode {
  return { id, weight: 1, zone: '', host: '', ...where };
}

function countBy<T>(items: Iterable<T>): Map<T, number> {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

test('one node owns every partition once, however many replicas are asked for', (t) => {
  const placement = place({ nodes: [node('a')], partitions: 8, replicas: 3 });
  t.is(placement.replicas, 1);
  t.deepEqual([...placement.owners], new Array(8).fill(0));
});

test('a cluster of fewer nodes than replicas keeps every partition on all of them, each first in half', (t) => {
  const placement = place({ nodes: [node('a'), node('b')], partitions: 256, replicas: 3 });
  t.is(placement.replicas, 2);
  t.deepEqual([...countBy(placement.owners).values()], [256, 256]);
  t.is(placement.owners.filter((owner, slot) => slot % 2 === 0 && owner === 0).length, 128);
});

test('a fourth node takes 192 of 768 slots and nothing else moves', (t) => {
  const nodes = ['a', 'b', 'c', 'd'].map((id) => node(id));
  const ids = ['a', 'b', 'c'];
  const before = place({ nodes: nodes.slice(0, 3), partitions: 256, replicas: 3 });
  const after = place({ nodes, partitions: 256, replicas: 3, previous: { ids, placement: before } });
  t.deepEqual(movement(before, ids, after, [...ids, 'd']), { moved: 192, necessary: 192 });
});

test('a node of twice the weight holds twice the slots', (t) => {
  const nodes = [node('a', { weight: 2 }), ...['b', 'c', 'd', 'e', 'f', 'g'].map((id) => node(id))];
  const placement = place({ nodes, partitions: 256, replicas: 3 });
  t.deepEqual(
    [...countBy(placement.owners).values()].sort((a, b) => b - a),
    [192, 96, 96, 96, 96, 96, 96],
  );
});

test('a node can hold no partition twice, so weight beyond that goes to the others', (t) => {
  const nodes = [node('a', { weight: 100 }), node('b'), node('c'), node('d')];
  const counts = countBy(place({ nodes, partitions: 64, replicas: 2 }).owners);
  t.is(counts.get(0), 64);
  t.deepEqual([1, 2, 3].map((index) => counts.get(index)).sort(), [21, 21, 22]);
});

test('with three zones every partition has a replica in each, also where a zone is one small node', (t) => {
  const nodes = [
    ...['a1', 'a2', 'a3'].map((id) => node(id, { zone: 'a' })),
    ...['b1', 'b2'].map((id) => node(id, { zone: 'b' })),
    node('c1', { zone: 'c', weight: 0.1 }),
  ];
  const { owners } = place({ nodes, partitions: 64, replicas: 3 });
  for (let partition = 0; partition < 64; partition++) {
    const zones = [0, 1, 2].map((rank) => nodes[owners[partition * 3 + rank] ?? -1]?.zone);
    t.deepEqual(zones.sort(), ['a', 'b', 'c']);
  }
});

test('with two zones three replicas are two and one, never all in one zone', (t) => {
  const nodes = ['a1', 'a2', 'a3', 'b1', 'b2', 'b3'].map((id) => node(id, { zone: id.slice(0, 1) }));
  const { owners } = place({ nodes, partitions: 64, replicas: 3 });
  for (let partition = 0; partition < 64; partition++) {
    t.is(new Set([0, 1, 2].map((rank) => nodes[owners[partition * 3 + rank] ?? -1]?.zone)).size, 2);
  }
});

test('one process per core: the four nodes of a machine share no partition while there are three machines', (t) => {
  const nodes = Array.from({ length: 12 }, (_, index) => node(`n${index}`, { host: `machine ${index % 3}` }));
  const { owners } = place({ nodes, partitions: 256, replicas: 3 });
  for (let partition = 0; partition < 256; partition++) {
    t.is(new Set([0, 1, 2].map((rank) => nodes[owners[partition * 3 + rank] ?? -1]?.host)).size, 3);
  }
});

test('a machine whose nodes name different zones still holds a partition once', (t) => {
  const nodes = [
    node('a', { zone: 'x', host: 'm' }),
    node('b', { zone: 'y', host: 'm' }),
    node('c', { zone: 'x', host: 'o' }),
    node('d', { zone: 'z', host: 'p' }),
  ];
  const { owners } = place({ nodes, partitions: 64, replicas: 2 });
  for (let partition = 0; partition < 64; partition++) {
    t.not(nodes[owners[partition * 2] ?? -1]?.host, nodes[owners[partition * 2 + 1] ?? -1]?.host);
  }
});

test('nodes that die spread their load over many others', (t) => {
  const nodes = Array.from({ length: 12 }, (_, index) => node(`n${index}`));
  const { owners } = place({ nodes, partitions: 256, replicas: 3 });
  const companions = new Set<number>();
  for (let partition = 0; partition < 256; partition++) {
    const row = [...owners.subarray(partition * 3, partition * 3 + 3)];
    if (row.includes(0)) for (const owner of row) companions.add(owner);
  }
  t.is(companions.size, 12);
});

test('four thousand partitions on a thousand nodes in three zones are placed by the same rules', (t) => {
  const nodes = Array.from({ length: 1000 }, (_, index) => {
    return node(`n${index}`, { zone: `z${index % 3}`, host: `h${index % 501}` });
  });
  const counts = countBy(place({ nodes, partitions: 4096, replicas: 3 }).owners);
  t.is(counts.size, 1000);
  t.true(Math.max(...counts.values()) - Math.min(...counts.values()) <= 1);
});

test('the table of a known topology stays what it is', (t) => {
  // A changed table would not break a cluster, whose epochs carry theirs, but it would move data in the next one.
  const nodes = Array.from({ length: 7 }, (_, index) => {
    return node(`node ${index}`, { weight: 1 + (index % 2), zone: `z${index % 4}` });
  });
  const { owners } = place({ nodes, partitions: 256, replicas: 3 });
  t.deepEqual([...owners.subarray(0, 9)], [2, 3, 5, 2, 3, 5, 3, 6, 5]);
  t.is(createHash('sha256').update(Buffer.from(owners)).digest('hex').slice(0, 16), 'b69d2a2348803313');
});

test('impossible input is refused with a sentence that names it', (t) => {
  const good = { nodes: [node('a')], partitions: 8, replicas: 1 };
  const refusal = (input: object) => t.throws(() => place({ ...good, ...input }), { instanceOf: RangeError })?.message;
  t.is(refusal({ partitions: 12 }), 'partitions must be a power of two from 1 to 65536, not 12');
  t.is(refusal({ partitions: 0 }), 'partitions must be a power of two from 1 to 65536, not 0');
  t.is(refusal({ partitions: 131_072 }), 'partitions must be a power of two from 1 to 65536, not 131072');
  t.is(refusal({ replicas: 0 }), 'replicas must be a whole number of 1 or more, not 0');
  t.is(refusal({ nodes: [] }), 'a ring has 1 to 65535 nodes, not 0');
  t.is(refusal({ nodes: [node('a'), node('a')] }), 'two nodes are named a');
  t.is(refusal({ nodes: [node('a', { weight: 0 })] }), 'the weight of node a must be a number above 0, not 0');
  t.is(
    refusal({ nodes: [node('a', { weight: Number.NaN })] }),
    'the weight of node a must be a number above 0, not NaN',
  );
  const previous = { ids: ['a'], placement: place({ ...good, partitions: 16 }) };
  t.is(refusal({ previous }), 'the number of partitions cannot change from 16 to 8');
  const torn = { ids: [], placement: place(good) };
  t.is(refusal({ previous: torn }), 'the table names node 0 of 0');
});
