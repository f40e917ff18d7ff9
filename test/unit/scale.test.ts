import { encodeTopology } from '@memdb/protocol';
import test from 'ava';
import { composeFirstEpoch } from '../../src/topology/first-epoch.js';

const ENCODED_BYTES_MAX = 256 * 1024;

for (const [count, partitions] of [
  [10, 256],
  [100, 1024],
  [1000, 4096],
] as const) {
  test(`the topology of ${count} nodes and ${partitions} partitions fits into 256 KiB, and is balanced within 5 %`, (t) => {
    const nodes = Array.from({ length: count }, (_, index) => ({
      uuid: `a1000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`,
      address: `node-${index}.example.net:10000`,
      http: `node-${index}.example.net:10100`,
      // Zones of unequal size would bind more than the load bound does.
      zone: '',
      host: `node-${index}`,
      weight: 1,
    }));
    const before = process.cpuUsage();
    const topology = composeFirstEpoch(new Uint8Array(16), nodes, { partitions, replicationFactor: 3 }, 7);
    const { user, system } = process.cpuUsage(before);
    const { length } = encodeTopology(topology);
    t.log(`${length} bytes, ${Math.round((user + system) / 1000)} ms of CPU for the placement`);
    t.true(length <= ENCODED_BYTES_MAX);
    const held = new Map<number, number>();
    for (const owner of topology.owners) held.set(owner, (held.get(owner) ?? 0) + 1);
    const fair = (partitions * 3) / count;
    t.true(Math.max(...held.values()) <= Math.ceil(fair * 1.05));
    t.is(held.size, count);
  });
}
