import { keyHash } from '@memdb/protocol';
import test from 'ava';
import { RecordKind } from '../../src/model/record.js';
import { LEVEL } from '../harness/bare-client.js';
import { SimCluster, type SimClusterOptions } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';
import { bytesOf, viewOf } from '../harness/storage-world.js';

const MiB = 2 ** 20;

function running(
  seed: number,
  options: Partial<SimClusterOptions>,
): { cluster: SimCluster; world: SimWorld; session: SimSession } {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, { nodes: 3, segmentBytes: 512 * 1024, valueBytesMax: 64 * 1024, ...options });
  cluster.start();
  cluster.awaitReady();
  return { cluster, world, session: new SimSession(cluster) };
}

function total(cluster: SimCluster, metric: string): number {
  return cluster.names.reduce((sum, name) => sum + (cluster.ports(name).telemetry.metric(metric) ?? 0), 0);
}

/** Writes keys, 50 at a time, through the nodes in turn; returns those that were acknowledged, in order. */
function fill(
  cluster: { readonly world: SimWorld; readonly names: readonly string[] },
  session: SimSession,
  keys: readonly string[],
  value: string,
  between: () => void = () => undefined,
): string[] {
  const { world } = cluster;
  const written: string[] = [];
  let answered = 0;
  for (const [index, key] of keys.entries()) {
    session.to(cluster.names[index % cluster.names.length]).set(key, value, LEVEL.quorum, (reply) => {
      answered++;
      if (reply.error === undefined) written.push(key);
      else if (reply.error.outcome !== 'not-applied') throw reply.error;
    });
    if (index % 50 !== 49 && index !== keys.length - 1) continue;
    if (!world.runUntil(() => answered === index + 1, world.nowMs + 10_000)) throw new Error('no answer');
    world.run(world.nowMs + 5);
    between();
  }
  return written;
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}

function present(session: SimSession, node: string, keys: readonly string[]): number {
  return keys.filter((key) => !session.get(node, key).absent).length;
}

/** What a node's index holds of a key, with its stamp. */
function heldBy(cluster: SimCluster, name: string, key: string): string {
  const { store } = cluster.node(name);
  const bytes = bytesOf(key);
  if (store === undefined) return 'down';
  const hash = keyHash(bytes, viewOf(bytes), 0, bytes.length, store.placement.hashSeed);
  if (!store.lookup(hash, bytes, viewOf(bytes), 0, bytes.length)) return 'nothing';
  const { kind, counter, node } = store.found;
  return `${kind === RecordKind.value ? 'value' : 'tombstone'} @${counter}/${node}`;
}

/** Writes, again while the node extends its clock's lease or is full for a moment. */
function write(session: SimSession, node: string, key: string, value: string, level: number = LEVEL.quorum): void {
  for (let attempt = 0; attempt < 200; attempt++) {
    const { error } = session.set(node, key, value, level);
    if (error === undefined) return;
    if (error.code !== 'clock-ahead' && error.code !== 'memory-full') throw error;
  }
  throw new Error(`${node} takes no write`);
}

test('lru: keys far beyond max_memory are taken, memory stays within it, and the newest are there', (t) => {
  const { cluster, session } = running(1, { eviction: 'lru', memoryBytesMax: 8 * MiB });
  let most = 0;
  const written = fill(cluster, session, names('key', 12_000), 'x'.repeat(2_000), () => {
    for (const name of cluster.names) most = Math.max(most, cluster.node(name).store?.accountedBytes ?? 0);
  });
  t.true(most <= 8 * MiB + 64 * 1024, `${most} bytes`);
  t.true(most >= 6 * MiB, `${most} bytes`);
  // Refusals are rare: eviction and compaction keep up.
  t.true(written.length > 11_500, `${written.length} written`);
  t.true(present(session, 'n1', written.slice(-1000)) > 950);
  t.true(present(session, 'n2', written.slice(0, 1000)) < 50);
  t.true(total(cluster, 'evictions_total') > 8_000);
  // Each node evicts its part: keys of one node must not live shorter than those of the others.
  for (const name of cluster.names) {
    t.true((cluster.ports(name).telemetry.metric('evictions_total') ?? 0) > total(cluster, 'evictions_total') / 5);
  }
});

test('lru: what is read stays, what is not goes', (t) => {
  const { cluster, session } = running(2, { eviction: 'lru', entriesMax: 600 });
  const read = names('read', 100);
  const idle = names('idle', 100);
  fill(cluster, session, [...read, ...idle], 'v');
  fill(cluster, session, names('flood', 3_000), 'v', () => {
    for (const key of read) session.get('n1', key, LEVEL.quorum);
  });
  t.is(present(session, 'n2', read), 100);
  t.true(present(session, 'n2', idle) < 5);
  const keys = cluster.names.map((name) => cluster.node(name).store?.candidates.keys ?? 0);
  t.true(
    keys.every((count) => count <= 600 + 550),
    `${keys}`,
  );
});

test('an acknowledged write that the evictor did not know of survives, though its stamp is low', (t) => {
  const { cluster, session, world } = running(3, { eviction: 'lru', entriesMax: 200 });
  write(session, 'n2', 'k', 'old', LEVEL.all);
  write(session, 'n2', 'gone', 'old', LEVEL.all);
  for (const name of ['n2', 'n3']) world.cut('n1', name);
  world.run(world.nowMs + 5_000);
  // n1, alone, runs far ahead with its clock, and evicts what it has not seen used.
  for (const key of names('alone', 1_500)) write(session, 'n1', key, 'v', LEVEL.one);
  t.regex(heldBy(cluster, 'n1', 'k'), /tombstone/);
  t.regex(heldBy(cluster, 'n1', 'gone'), /tombstone/);
  t.is(session.set('n2', 'k', 'new').error, undefined);
  const stamp = session.get('n2', 'k').counter;
  t.true(stamp < (cluster.node('n1').lamport?.current ?? 0) - 1_000);
  world.heal();
  cluster.awaitReady();
  for (const name of cluster.names) t.is(session.get(name, 'k').value, 'new', name);
  // Nobody wrote the other one again: gone for one is gone for all, by the first quorum read already.
  for (const name of cluster.names) t.true(session.get(name, 'gone').absent, name);
});

test('what was evicted does not come back: replicas agree, and restarts change nothing', (t) => {
  const { cluster, session, world } = running(4, { eviction: 'lru', entriesMax: 300, partitions: 4 });
  const first = names('first', 300);
  fill(cluster, session, first, 'v');
  cluster.crash('n3');
  world.run(world.nowMs + 5_000);
  const later = names('later', 3_000);
  fill({ world, names: ['n1', 'n2'] }, session, later, 'v');
  const evicted = first.filter((key) => session.get('n1', key).absent);
  t.true(evicted.length > 250);
  cluster.start(['n3']);
  cluster.awaitReady();
  const agree = (): boolean =>
    [...first, ...later].every((key) => {
      const held = cluster.names.map((name) => heldBy(cluster, name, key).replace(/^tombstone.*/, 'nothing'));
      return held.every((version) => version === held[0]);
    });
  t.true(world.runUntil(() => agree(), world.nowMs + 60_000) || agree());
  // Long enough for purges, whose floors lie above the stamps of evicted keys.
  world.run(world.nowMs + 20_000);
  t.true(total(cluster, 'audit_purged_total') > 0);
  for (const name of cluster.names) {
    cluster.crash(name);
    cluster.start([name]);
    cluster.awaitReady();
  }
  for (const key of evicted) for (const name of cluster.names) t.true(session.get(name, key, LEVEL.one).absent);
  t.true(world.runUntil(() => agree(), world.nowMs + 30_000) || agree());
});

test('a read finds the last acknowledged write or nothing, never an older one, whatever is evicted, cut or killed', (t) => {
  for (let seed = 200; seed < 206; seed++) {
    const { cluster, session, world } = running(seed, { eviction: 'lru', entriesMax: 40, partitions: 8 });
    const { random } = world;
    const last = new Map<string, { step: number; stamp: number }>();
    const seen = new Map<string, number>();
    let evictions = 0;
    for (let step = 0; step < 500; step++) {
      const node = cluster.names[random.below(3)];
      const key = `k${random.below(150)}`;
      const fault = random.below(60);
      if (fault === 0) {
        const victim = cluster.names[random.below(3)];
        evictions += cluster.ports(victim).telemetry.metric('evictions_total') ?? 0;
        cluster.crash(victim);
        cluster.start([victim]);
        cluster.awaitReady();
      } else if (fault === 1) {
        world.cut(node, cluster.names[(cluster.names.indexOf(node) + 1) % 3]);
        world.run(world.nowMs + random.below(3_000));
        world.heal();
        cluster.awaitReady();
      }
      if (random.below(3) !== 0) {
        const { error, counter } = session.set(node, key, `${step}`);
        if (error === undefined) last.set(key, { step, stamp: counter });
        else if (error.outcome === 'unknown') last.delete(key);
      } else {
        const { error, absent, value, counter } = session.get(node, key);
        if (error !== undefined) continue;
        const expected = last.get(key);
        const why = `npx ava dist/test/simulation/eviction.test.js: seed ${seed}, step ${step}, ${key}`;
        if (expected !== undefined && !absent) t.is(value, `${expected.step}`, why);
        if (expected !== undefined && absent) t.true(counter >= expected.stamp, why);
        // An absent key may answer with a floor, which is no stamp of its own.
        if (absent) continue;
        t.true(counter >= (seen.get(key) ?? 0), why);
        seen.set(key, counter);
      }
    }
    evictions += total(cluster, 'evictions_total');
    t.true(evictions > 50, `seed ${seed}: ${evictions}`);
    t.is(cluster.fatal.size, 0, `seed ${seed}: ${[...cluster.fatal.values()].join()}`);
  }
});

test('reject: at max_entries new keys are refused before anything is stored; overwrites, deletes and reads pass', (t) => {
  const { cluster, session } = running(5, { entriesMax: 100 });
  for (const key of names('k', 100)) t.is(session.set('n1', key, 'v').error, undefined);
  const refused = session.set('n2', 'one more', 'v');
  t.is(refused.error?.code, 'memory-full');
  t.is(refused.error?.outcome, 'not-applied');
  t.regex(refused.error?.message ?? '', /storage\.max_entries/);
  for (const name of cluster.names) t.is(heldBy(cluster, name, 'one more'), 'nothing');
  t.is(session.set('n2', 'k-7', 'w').error, undefined);
  t.is(session.get('n3', 'k-7').value, 'w');
  t.is(session.delete('n2', 'k-8', LEVEL.all).error, undefined);
  t.is(session.set('n2', 'one more', 'v', LEVEL.all).error, undefined);
  t.is(session.set('n3', 'yet another', 'v').error?.code, 'memory-full');
  t.is(total(cluster, 'evictions_total'), 0);
});
