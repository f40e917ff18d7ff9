import { LEVEL } from './bare-client.js';
import { checkHistory, type FinalVersion } from './check-history.js';
import { FaultPlan } from './fault-plan.js';
import { orderOf } from './history.js';
import { SimCluster } from './sim-cluster.js';
import { SimSession } from './sim-session.js';
import { SimWorld } from './sim-world.js';
import { ownersOf, Workload } from './workload.js';

const LOAD_MS = 6000;
/** A request is answered at its deadline of 1 s, and the sweep that finds it due comes soon after. */
const SETTLE_MS = 4000;

export interface RandomRun {
  /** Promises that did not hold, as sentences. */
  readonly broken: string[];
  readonly acknowledged: number;
  readonly reads: number;
  readonly faults: Record<string, number>;
}

/**
 * A random workload under random faults, all from one seed; then everything heals, and what the clients saw and what
 * the owners hold is judged.
 */
export function randomRun(seed: number): RandomRun {
  const world = new SimWorld(seed);
  const { random } = world;
  const nodes = random.chance(0.35) ? 5 : 3;
  const interval = random.chance(0.15);
  const cluster = new SimCluster(world, {
    nodes,
    durability: interval ? 'interval' : 'sync',
    segmentBytes: random.pick([256 * 1024, 1024 * 1024]),
    valueBytesMax: 64 * 1024,
  });
  cluster.start();
  cluster.awaitReady();
  const keys = Array.from({ length: random.pick([3, 12, 200]) }, (_, index) => `key-${index}`);
  const workload = new Workload(world, cluster, {
    clients: 2 + random.below(5),
    keys,
    intervalMs: random.pick([3, 8, 20]),
    valueBytesMax: 64 * 1024,
  });
  const faults = new FaultPlan(world, cluster, { powerLoss: !interval, intervalMs: random.pick([150, 400, 1000]) });
  workload.run(world.nowMs + LOAD_MS);
  faults.run(world.nowMs + LOAD_MS);
  world.run(world.nowMs + LOAD_MS);
  faults.heal();
  cluster.awaitReady();
  world.run(world.nowMs + SETTLE_MS);
  faults.heal();
  cluster.awaitReady();
  const broken = [...workload.broken];
  for (const what of workload.unanswered()) broken.push(`never answered: ${what}`);
  for (const [name, error] of cluster.fatal) broken.push(`${name} ended: ${error.message}`);
  const idle = (): boolean =>
    cluster.names.every(
      (name) => cluster.node(name).replication?.streams.every((stream) => stream?.idle !== false) === true,
    );
  if (!world.runUntil(idle, world.nowMs + 20_000)) broken.push('the streams are not idle 20 s after all healed');
  const final = readAll(cluster, keys, broken);
  world.run(world.nowMs + 500);
  for (const key of keys) checkConverged(world, cluster, key, broken);
  checkLogs(cluster, broken);
  broken.push(...checkHistory(workload.history, final));
  const { writes, reads } = workload.history;
  return {
    broken,
    acknowledged: writes.filter((write) => write.outcome === 'acknowledged').length,
    reads: reads.length,
    faults: world.faults.toJSON(),
  };
}

function readAll(cluster: SimCluster, keys: readonly string[], broken: string[]): Map<string, FinalVersion> {
  const session = new SimSession(cluster, 'judge');
  const final = new Map<string, FinalVersion>();
  for (const key of keys) {
    const name = cluster.world.random.pick(cluster.names);
    const all = session.quorumGet(name, key, 255);
    const again = session.get(cluster.world.random.pick(cluster.names), key, LEVEL.quorum);
    if (all.error !== undefined || again.error !== undefined) {
      broken.push(`${key} cannot be read at the end: ${(all.error ?? again.error)?.message}`);
      continue;
    }
    if (again.counter !== all.counter || again.value !== all.value) broken.push(`${key}: two reads at the end differ`);
    final.set(key, { stamp: { counter: all.counter, node: all.node }, value: all.value });
  }
  return final;
}

function checkConverged(world: SimWorld, cluster: SimCluster, key: string, broken: string[]): void {
  const versions = ownersOf(world, cluster, key);
  const first = versions[0];
  for (const version of versions) {
    if (version === 'down' || first === 'down') broken.push(`${key}: an owner is down at the end`);
    else if (orderOf(version.stamp, first.stamp) !== 0) {
      broken.push(`${key}: ${first.node} and ${version.node} hold different versions at the end`);
    }
  }
}

/** Over the logs of all nodes, one stamp of one key has one content (mechanisms: Stamps). */
function checkLogs(cluster: SimCluster, broken: string[]): void {
  const contents = new Map<string, string>();
  for (const name of cluster.names) {
    const cursor = cluster.node(name).store?.logCursor(0);
    while (cursor?.next() === true) {
      if (cursor.counter === 0) continue;
      const { bytes } = cursor.segment;
      const key = Buffer.from(bytes.subarray(cursor.keyStart, cursor.keyStart + cursor.keyLength)).toString();
      const value = bytes.subarray(cursor.keyStart + cursor.keyLength, cursor.offset + cursor.bytes);
      const version = `${key}@${cursor.counter}/${cursor.node}`;
      const content = `${cursor.kind} ${value.length} ${Buffer.from(value.subarray(0, 12)).toString()}`;
      if (contents.has(version) && contents.get(version) !== content)
        broken.push(`${version} has two contents in logs`);
      contents.set(version, content);
    }
  }
}
