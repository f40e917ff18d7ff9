import { keyHash, partitionOfHash } from '@memdb/protocol';
import test from 'ava';
import { rowOf } from '../../src/topology/epoch-roles.js';
import { type BareReply, LEVEL } from '../harness/bare-client.js';
import { SimChange } from '../harness/sim-change.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { useFastCrypto } from '../harness/sim-crypto.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';

useFastCrypto();

/**
 * Seed 206 of the load `moves`: a write that a node had forwarded was still under way when the node became an owner; the
 * next write on the same connection was coordinated there, acknowledged, and then overtaken by the earlier one.
 */
test('a write at a node that has become an owner does not overtake what the same connection had it forward before', (t) => {
  const world = new SimWorld(1);
  const cluster = new SimCluster(world, { nodes: 4, founders: 3 });
  const founders = ['n1', 'n2', 'n3'];
  cluster.start(founders);
  cluster.awaitReady(founders);
  for (const name of founders) cluster.node(name).changes?.stop();
  cluster.start(['n4']);
  const change = new SimChange(cluster);
  change.begin('n2', [change.joinOf('n4')], cluster.names);
  change.awaitComplete(cluster.names);
  const key = movingKey(cluster);
  const client = new SimSession(cluster).to('n4');
  // It is sent to n1, and stays on the way.
  world.cut('n4', 'n1');
  let first: BareReply | undefined;
  client.set(key, 'first', LEVEL.quorum, (reply) => {
    first = reply;
  });
  world.run(world.nowMs + 5);
  change.commit('n2', ['n2', 'n3', 'n4']);
  t.is(first, undefined);
  let second: BareReply | undefined;
  client.set(key, 'second', LEVEL.one, (reply) => {
    second = reply;
  });
  t.true(world.runUntil(() => second !== undefined, world.nowMs + 500));
  t.is(second?.error?.outcome, 'not-applied');
});

/** A key of which n1 is the first owner, and n4 will be one. */
function movingKey(cluster: SimCluster): string {
  const { topology } = cluster;
  const pending = topology?.pending;
  if (topology === undefined || pending === undefined) throw new Error('no change is pending');
  const first = cluster.node('n1').number;
  const joiner = cluster.node('n4').number;
  for (let index = 0; index < 1000; index++) {
    const bytes = new Uint8Array(Buffer.from(`key-${index}`));
    const hash = keyHash(bytes, new DataView(bytes.buffer), 0, bytes.length, topology.hashSeed);
    const partition = partitionOfHash(hash, topology.partitions);
    const isFirst = rowOf(topology.owners, topology.replicas, partition)[0] === first;
    if (isFirst && rowOf(pending.owners, pending.replicas, partition).includes(joiner)) return `key-${index}`;
  }
  throw new Error('no such key');
}
