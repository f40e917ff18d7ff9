import test, { type ExecutionContext } from 'ava';
import { deadlineMs, hold, within } from './events.js';
import { endsWell, type Loaded, underLoad } from './loaded.js';
import { can } from './machine.js';
import { RealCluster } from './real-cluster.js';
import { TestNetwork } from './test-network.js';

interface Cluster extends Loaded {
  readonly network: TestNetwork;
}

/** Three nodes under load, each in a network namespace of its own. */
async function started(t: ExecutionContext): Promise<Cluster> {
  const network = new TestNetwork(t, 3);
  const place = (node: number): object => ({ host: network.addressOf(node), through: network.through(node) });
  const cluster = await RealCluster.start(t, { nodes: 3, place });
  return { network, ...(await underLoad(t, cluster, { timeoutMs: 1_000 })) };
}

/** Ends all trouble, and the load. */
async function healed(t: ExecutionContext, cluster: Cluster): Promise<void> {
  for (const node of [0, 1, 2]) cluster.network.heal(node);
  await endsWell(t, cluster);
}

test.serial('with one node cut off from its peers the other two go on, and it catches up', async (t) => {
  if (!can(t, 'namespaces')) return;
  const cluster = await started(t);
  const { network, load } = cluster;
  network.between('cut', 0, 1);
  network.between('cut', 0, 2);
  await load.more('acknowledged', 300);
  t.true(network.hits('cut', 0) > 0);
  t.true(network.hits('cut', 1) + network.hits('cut', 2) > 0);
  await healed(t, cluster);
});

test.serial('with links cut in one direction, around in a circle, nothing acknowledged is lost', async (t) => {
  if (!can(t, 'namespaces')) return;
  const cluster = await started(t);
  const { network, load } = cluster;
  for (const [from, to] of [
    [0, 1],
    [1, 2],
    [2, 0],
  ] as const) {
    network.oneWay('cut', from, to);
    await load.more('acknowledged', 20);
    await within(
      deadlineMs,
      () => network.hits('cut', to) > 0,
      () => `packets from ${from} to ${to}`,
    );
    network.heal(to);
  }
  for (const node of [0, 1, 2]) network.oneWay('cut', node, (node + 1) % 3);
  await hold(3_000);
  for (const node of [0, 1, 2]) t.true(network.hits('cut', node) > 0);
  await healed(t, cluster);
});

test.serial('with every link cut nothing is acknowledged at quorum, and healing is enough to go on', async (t) => {
  if (!can(t, 'namespaces')) return;
  const cluster = await started(t);
  const { network, load, ledger } = cluster;
  for (const [one, other] of [
    [0, 1],
    [1, 2],
    [0, 2],
  ] as const)
    network.between('cut', one, other);
  await load.more('unknown', 1);
  await load.more('not-applied', 20);
  const acknowledged = ledger.count('acknowledged');
  await load.more('not-applied', 20);
  t.is(ledger.count('acknowledged'), acknowledged);
  // Every replica answers for itself what one replica may.
  await cluster.client.set('alone', 'v', { consistency: 'one' });
  t.is(await cluster.client.get('alone', { consistency: 'one' }), 'v');
  for (const node of [0, 1, 2]) t.true(network.hits('cut', node) > 0);
  await healed(t, cluster);
});

test.serial(
  'a fifth of all packets lost, connections reset, and a narrow line lose nothing acknowledged',
  async (t) => {
    if (!can(t, 'namespaces')) return;
    const cluster = await started(t);
    const { network, load } = cluster;
    for (const [one, other] of [
      [0, 1],
      [1, 2],
      [0, 2],
    ] as const)
      network.between('lossy', one, other);
    await load.more('acknowledged', 50);
    for (const node of [0, 1, 2]) network.heal(node);
    t.true([0, 1, 2].some((node) => network.hits('lossy', node) > 0));

    for (let round = 0; round < 6; round++) {
      const node = round % 3;
      const before = network.hits('reset', node);
      network.oneWay('reset', (node + 1) % 3, node);
      await within(
        deadlineMs,
        () => network.hits('reset', node) > before,
        () => 'a reset',
      );
      network.heal(node);
      await load.more('acknowledged', 20);
    }

    network.limit(1, 256);
    await load.more('acknowledged', 300);
    t.true(network.limited(1) > 0);
    network.unlimit(1);
    await healed(t, cluster);
  },
);
