import { type Client, createClient } from '@memdb/client';
import test from 'ava';
import { flipInFile, flipInMemory, places } from '../harness/flip-bits.js';
import { equalTables, runUntilQuiet, storeOf } from '../harness/sim-audit.js';
import { SIM_PORT, SimCluster, type SimClusterOptions } from '../harness/sim-cluster.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';
import { TEST_KEYS } from '../harness/test-keys.js';

interface Running {
  readonly world: SimWorld;
  readonly cluster: SimCluster;
  readonly db: Client;
  /** Runs the world until the promise has settled. */
  readonly settle: <Result>(promise: Promise<Result>) => Promise<Result>;
}

async function running(seed: number, options: Partial<SimClusterOptions> = {}): Promise<Running> {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, { nodes: 3, ...options });
  cluster.start();
  cluster.awaitReady();
  const seeds = cluster.names.map((host) => ({ host, port: SIM_PORT }));
  const db = createClient({ ports: world.createPorts('client'), seeds, key: TEST_KEYS.client });
  const settle = <Result>(promise: Promise<Result>): Promise<Result> => world.settle(promise, world.nowMs + 60_000);
  await settle(db.ready());
  return { world, cluster, db, settle };
}

async function fill(db: Client, names: readonly string[]): Promise<void> {
  for (let at = 0; at < names.length; at += 500) {
    const part = names.slice(at, at + 500).map((name): [string, string] => [name, `value of ${name}`]);
    for (const { key, error } of await db.setMany(part)) {
      if (error !== undefined) throw new Error(`${key} was not stored`, { cause: error });
    }
  }
}

async function all(keys: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const key of keys) found.push(key);
  return found;
}

const named = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index.toString().padStart(6, '0')}`);

test('a scan returns every key once, and with a prefix those that begin so', async (t) => {
  const { db, settle, cluster } = await running(1);
  t.deepEqual(await settle(all(db.keys())), []);
  const users = named('user:', 3000);
  const orders = named('order:', 200);
  await settle(fill(db, [...users, ...orders]));
  t.deepEqual((await settle(all(db.keys()))).sort(), [...orders, ...users]);
  t.deepEqual((await settle(all(db.keys({ prefix: 'order:' })))).sort(), orders);
  t.deepEqual(await settle(all(db.keys({ prefix: 'user:000123' }))), ['user:000123']);
  t.deepEqual(await settle(all(db.keys({ prefix: 'nothing' }))), []);
  await settle(db.close());
  t.is(cluster.fatal.size, 0);
});

test('keys there throughout come exactly once, whatever is written, deleted and crashes meanwhile', async (t) => {
  for (let seed = 1; seed <= 12; seed++) {
    const { world, cluster, db, settle } = await running(seed, { nodes: 3 + (seed % 2), partitions: 4 });
    const kept = named('kept:', 4000);
    const deleted = named('deleted:', 300);
    const doomed = named('doomed:', 300);
    await settle(fill(db, [...kept, ...deleted, ...doomed]));
    for (const key of deleted) await settle(db.delete(key));

    const written = new Set<string>();
    let scanning = true;
    const churn = async (writer: number): Promise<void> => {
      for (let index = 0; scanning; index++) {
        const dice = world.random.below(4);
        const fresh = `new:${writer}:${index}`;
        // An error is a failure of this write alone: what it was about counts as changed meanwhile.
        if (dice === 0) await db.set(world.random.pick(kept), 'again').catch(() => undefined);
        else if (dice === 1) await db.delete(doomed[index % doomed.length]).catch(() => undefined);
        else {
          written.add(fresh);
          await db.set(fresh, '').catch(() => undefined);
        }
      }
    };
    const writers = [0, 1, 2, 3].map(churn);
    const victim = world.random.pick(cluster.names);
    world.at(world.nowMs + 1 + world.random.below(20), () => cluster.crash(victim));
    const other = createClient({
      ports: world.createPorts('scanner'),
      seeds: cluster.names.map((host) => ({ host, port: SIM_PORT })),
      key: TEST_KEYS.client,
      timeoutMs: 10_000,
    });
    const found = await settle(all(other.keys()));
    scanning = false;
    await settle(Promise.all(writers));

    const seen = new Set(found);
    t.is(seen.size, found.length, `seed ${seed}: a key came twice`);
    const missing = kept.filter((key) => !seen.has(key));
    t.deepEqual(missing, [], `seed ${seed}`);
    const allowed = new Set([...kept, ...doomed, ...written]);
    const strange = found.filter((key) => !allowed.has(key));
    t.deepEqual(strange, [], `seed ${seed}`);
    t.true(cluster.log().length > 0 && !world.isRunning(victim), `seed ${seed}: nobody crashed during the scan`);
    await settle(Promise.all([db.close(), other.close()]));
    t.is(cluster.fatal.size, 0);
  }
});

test('a scan goes on at another node when the one it had asked dies, and after an error where it stood', async (t) => {
  const { world, cluster, db, settle } = await running(3, { partitions: 1 });
  const names = named('k', 5000);
  await settle(fill(db, names));
  const scan = db.keys();
  const found: string[] = [];
  const read = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      const { done, value } = await scan.next();
      if (done === true) return;
      found.push(value);
    }
  };
  await settle(read(1500));
  cluster.crash('n1');
  await settle(read(1500));
  cluster.crash('n2');
  const error = await t.throwsAsync(settle(read(3000)));
  t.is((error as { outcome?: string }).outcome, 'not-applied');
  cluster.start(['n1']);
  cluster.awaitReady(['n1', 'n3']);
  world.run(world.nowMs + 2000);
  await settle(read(5000));
  t.deepEqual(found.sort(), names);
  t.true((await scan.next()).done);
  await settle(db.close());
});

test('a key that one replica of the majority lacks is found, and one that it has not heard deleted is not', async (t) => {
  const { world, cluster, db, settle } = await running(4);
  const session = new SimSession(cluster, 'writer');
  t.is(session.set('n1', 'goes', 'x').error, undefined);
  cluster.crash('n3');
  world.run(world.nowMs + 3000);
  // Node 1 owes node 3 these, and dies before it can tell: node 2 alone has them now.
  for (const key of named('late', 50)) t.is(session.set('n1', key, 'x').error, undefined);
  t.is(session.delete('n1', 'goes').error, undefined);
  cluster.crash('n1');
  cluster.start(['n3']);
  cluster.awaitReady(['n2', 'n3']);
  t.deepEqual((await settle(all(db.keys()))).sort(), named('late', 50));
  await settle(db.close());
});

test('a loop that is left early leaves nothing behind, and a signal ends a scan', async (t) => {
  const { db, settle, cluster } = await running(5);
  await settle(fill(db, named('k', 3000)));
  const first = async (): Promise<string | undefined> => {
    for await (const key of db.keys()) return key;
    return undefined;
  };
  t.regex((await settle(first())) ?? '', /^k/);
  t.is(db.stats.inProgress, 0);
  const controller = new AbortController();
  const scan = db.keys({ signal: controller.signal });
  await settle(scan.next());
  controller.abort();
  const rest = async (): Promise<void> => {
    while ((await scan.next()).done !== true);
  };
  const error = await t.throwsAsync(settle(rest()));
  t.is((error as { code?: string }).code, 'aborted');
  t.is(db.stats.inProgress, 0);
  await settle(db.close());
  for (const name of cluster.names) t.is(cluster.node(name).replication?.scans.pending, 0);
});

test('too many scans at once are refused with what to do, and the node goes on', async (t) => {
  const { db, settle } = await running(6);
  await settle(fill(db, named('k', 2000)));
  const scans = Array.from({ length: 100 }, () => all(db.keys({ timeoutMs: 8 })));
  const results = await settle(Promise.allSettled(scans));
  const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  t.true(refused.some(({ code, message }) => code === 'overloaded' && /try again in a moment/.test(message)));
  t.is((await settle(all(db.keys()))).length, 2000);
  await settle(db.close());
});

test('binary keys and prefixes come as they are', async (t) => {
  const { db, settle } = await running(7);
  const keys = [Uint8Array.of(0, 255, 1), Uint8Array.of(0, 255, 2), Uint8Array.of(1)];
  for (const key of keys) await settle(db.set(key, ''));
  const read = async (): Promise<Uint8Array[]> => {
    const found: Uint8Array[] = [];
    for await (const key of db.keysBytes({ prefix: Uint8Array.of(0, 255) })) found.push(key);
    return found.sort((left, right) => Buffer.compare(left, right));
  };
  t.deepEqual(await settle(read()), keys.slice(0, 2));
  t.throws(() => db.keys({ prefix: 5 as unknown as string }), { code: 'bad-request' });
  await settle(db.close());
});

/** A cycle of the scrub, and a comparison with its repair. */
const HEALED_WITHIN_MS = 45_000;

/** Damages keys at one node, in memory and in the file, and runs until that was noticed. */
function lose(run: Running, name: string, keys: readonly string[]): void {
  const { world, cluster } = run;
  const held = places(storeOf(cluster, name));
  for (const key of keys) {
    const place = held.findLast((each) => each.key === key);
    if (place === undefined) throw new Error(`${name} does not hold ${key}`);
    flipInMemory(place, 26, 3);
    flipInFile(world.disk(name), place, 26, 5);
  }
  const found = (): boolean => lostKeys(run, name) === keys.length;
  if (!runUntilQuiet(world, found, HEALED_WITHIN_MS)) throw new Error(`${name} did not notice\n${cluster.log()}`);
}

function lostKeys({ cluster }: Running, name: string): number {
  return cluster.ports(name).telemetry.metric('lost_keys') ?? 0;
}

/** A client that reaches some nodes only. */
function scanner({ world, cluster }: Running, reached: readonly string[]): Client {
  const host = `reaches ${reached.join()}`;
  for (const name of cluster.names) if (!reached.includes(name)) world.cut(host, name);
  const seeds = reached.map((name) => ({ host: name, port: SIM_PORT }));
  return createClient({ ports: world.createPorts(host), seeds, key: TEST_KEYS.client, timeoutMs: 3000 });
}

test('no key is missed while a replica that held it has lost it to damage: the scan is refused until it is known', async (t) => {
  const run = await running(8, { partitions: 4 });
  const { world, cluster, db, settle } = run;
  const early = named('early:', 300);
  const late = named('late:', 12);
  await settle(fill(db, early));
  world.run(world.nowMs + 3000);
  // Acknowledged by n1 and n2; n3 is away, and when it comes back n2 has lost them and n1 is out of reach.
  for (const name of ['n1', 'n2', 'client']) world.cut(name, 'n3');
  world.run(world.nowMs + 3000);
  await settle(fill(db, late));
  for (const name of ['n2', 'n3', 'client']) world.cut('n1', name);
  lose(run, 'n2', late);
  world.heal('n2', 'n3');
  world.run(world.nowMs + 3000);
  const other = scanner(run, ['n2', 'n3']);
  const error = await t.throwsAsync(settle(all(other.keys())));
  const { code, outcome } = error as { code?: string; outcome?: string };
  t.deepEqual([code, outcome], ['unavailable', 'not-applied']);
  t.regex(error.message, /damaged record/);
  world.heal();
  const known = (): boolean => lostKeys(run, 'n2') === 0 && equalTables(cluster);
  t.true(runUntilQuiet(world, known, HEALED_WITHIN_MS));
  t.deepEqual((await settle(all(other.keys()))).sort(), [...early, ...late]);
  await settle(Promise.all([db.close(), other.close()]));
  t.is(cluster.fatal.size, 0);
});

test('a scan goes on over the other owners while one has lost keys, and over the partitions where it has not', async (t) => {
  const run = await running(9, { partitions: 64 });
  const { world, db, settle } = run;
  const names = named('k', 600);
  await settle(fill(db, names));
  world.run(world.nowMs + 3000);
  // It cannot compare itself with n1, so what it lost stays lost.
  world.cut('n1', 'n2');
  world.run(world.nowMs + 3000);
  lose(run, 'n2', [names[17]]);
  world.run(world.nowMs + 3000);
  t.is(lostKeys(run, 'n2'), 1);
  const other = scanner(run, ['n3']);
  t.deepEqual((await settle(all(other.keys()))).sort(), names);
  const twoLeft = scanner(run, ['n2']);
  const found: string[] = [];
  const read = async (): Promise<void> => {
    for await (const key of twoLeft.keys()) found.push(key);
  };
  const error = await t.throwsAsync(settle(read()));
  t.is((error as { code?: string }).code, 'unavailable');
  t.false(found.includes(names[17]));
  await settle(Promise.all([db.close(), other.close(), twoLeft.close()]));
});
