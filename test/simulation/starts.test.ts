import { MemDbError } from '@memdb/protocol';
import test, { type ExecutionContext } from 'ava';
import { LEVEL } from '../harness/bare-client.js';
import { SimCluster } from '../harness/sim-cluster.js';
import { useFastCrypto } from '../harness/sim-crypto.js';
import { SimSession } from '../harness/sim-session.js';
import { SimWorld } from '../harness/sim-world.js';
import { simulateStarts } from '../harness/simulate-starts.js';

useFastCrypto();

interface Running {
  readonly cluster: SimCluster;
  readonly world: SimWorld;
  readonly session: SimSession;
}

/** Three founders, and room for a fourth machine. */
function running(seed: number, nodes = 4): Running {
  const world = new SimWorld(seed);
  const cluster = new SimCluster(world, { nodes, founders: 3 });
  const founders = ['n1', 'n2', 'n3'];
  cluster.start(founders);
  cluster.awaitReady(founders);
  return { cluster, world, session: new SimSession(cluster) };
}

function write({ session, world }: Running, from: number, count: number): void {
  for (let index = from; index < from + count; index++) session.set('n2', `key-${index}`, `value-${index}`, LEVEL.all);
  // How far the logs reach is told with the next probes.
  world.run(world.nowMs + 3000);
}

/** The node ends, and says why. */
function isRefused(t: ExecutionContext, { cluster, world }: Running, name: string, sentence: RegExp): void {
  t.true(
    world.runUntil(() => cluster.fatal.has(name), world.nowMs + 10_000),
    cluster.log(),
  );
  const error = cluster.fatal.get(name);
  t.true(error instanceof MemDbError && error.code === 'duplicate-node', error?.stack);
  t.regex(error?.message ?? '', sentence);
  cluster.fatal.delete(name);
}

/** Nobody else noticed anything. */
function goesOn(t: ExecutionContext, run: Running, names: readonly string[], key: string): void {
  const { cluster, world, session } = run;
  world.run(world.nowMs + 5000);
  t.deepEqual([...cluster.fatal], []);
  for (const name of names) {
    t.true(world.isRunning(name));
    t.is(cluster.node(name).ready(), undefined);
    const { swim } = cluster.node(name).membership ?? {};
    for (const other of names) {
      const held = swim?.others.get(cluster.node(other).uuid);
      if (other !== name) t.is(held?.claim.state, 'alive', `${name} of ${other}`);
      if (other !== name) t.is(held?.generation, cluster.node(other).generation);
    }
    // A node that starts is ahead in stamps, and the others first make their lease of the clock longer.
    if (session.set(name, key, 'first').error !== undefined) world.run(world.nowMs + 100);
    const level = names.length === 3 ? LEVEL.all : LEVEL.quorum;
    t.is(session.set(name, key, `by ${name}`, level).error, undefined);
  }
}

test('a directory that was copied while its node ran, and is put back after a crash, does not start (counterexample 17)', (t) => {
  for (const seed of [1, 2, 3]) {
    const run = running(seed);
    const { cluster, world } = run;
    write(run, 0, 20);
    const copy = world.disk('n1').backup();
    write(run, 20, 20);
    cluster.crash('n1', { powerLoss: false });
    world.disk('n1').restore(copy);
    cluster.start(['n1']);
    isRefused(t, run, 'n1', /ends at LSN \d+, and it had LSN \d+ on its disk before.*empty the data directory/);
    goesOn(t, run, ['n2', 'n3'], 'after');
  }
});

test('a restored directory does not start either when the others were all restarted in between', (t) => {
  const run = running(4);
  const { cluster, world } = run;
  const copy = world.disk('n1').backup();
  write(run, 0, 200);
  for (const name of ['n1', 'n2', 'n3']) cluster.crash(name);
  world.disk('n1').restore(copy);
  cluster.start(['n1', 'n2', 'n3']);
  isRefused(t, run, 'n1', /was restored from a copy/);
});

test('a copy started elsewhere while its node runs ends, with a sentence, and nobody else notices', (t) => {
  for (const seed of [5, 6, 7]) {
    const run = running(seed);
    const { cluster, world } = run;
    write(run, 0, 5);
    world.disk('n4').restore(world.disk('n1').backup());
    cluster.start(['n4']);
    isRefused(t, run, 'n4', /Another process (runs|was started).*Stop .*empty (the )?data directory/s);
    goesOn(t, run, ['n1', 'n2', 'n3'], 'after');
  }
});

test('two copies of one directory, started as the same start, never both serve', (t) => {
  for (const seed of [8, 9, 10]) {
    const run = running(seed);
    const { cluster, world } = run;
    cluster.crash('n1', { powerLoss: false });
    world.disk('n4').restore(world.disk('n1').backup());
    cluster.start(['n4']);
    world.run(world.nowMs + world.random.below(2000));
    cluster.start(['n1']);
    const both = (): boolean =>
      ['n1', 'n4'].every((name) => world.isRunning(name) && cluster.node(name).ready() === undefined);
    t.false(world.runUntil(both, world.nowMs + 10_000));
    t.true(cluster.fatal.size >= 1);
    for (const [, error] of cluster.fatal) t.true(error instanceof MemDbError, error.stack);
  }
});

test('a node that was paused while a copy of it was started ends when it goes on', (t) => {
  const run = running(11);
  const { cluster, world } = run;
  world.pause('n1');
  world.run(world.nowMs + 4000);
  world.disk('n4').restore(world.disk('n1').backup());
  cluster.start(['n4']);
  t.true(
    world.runUntil(() => cluster.node('n4').ready() === undefined, world.nowMs + 20_000),
    cluster.log(),
  );
  world.resume('n1');
  isRefused(t, run, 'n1', /started/);
  goesOn(t, run, ['n4', 'n2', 'n3'], 'after');
});

test('a node that says to be at the address of another one that lives ends, and nobody else notices', (t) => {
  const run = running(12);
  const { cluster } = run;
  cluster.crash('n3', { powerLoss: false });
  cluster.start(['n3'], 'n3', 'n2');
  isRefused(t, run, 'n3', /has the address n2:10000, and is alive.*node\.advertise/);
  goesOn(t, run, ['n1', 'n2'], 'after');
});

test('an address is free for another node once the one that had it is gone', (t) => {
  const run = running(13);
  const { cluster, world } = run;
  cluster.crash('n2', { powerLoss: false });
  cluster.crash('n3', { powerLoss: false });
  world.run(world.nowMs + 1000);
  cluster.start(['n3'], 'n2');
  t.true(
    world.runUntil(() => cluster.node('n3').ready() === undefined, world.nowMs + 20_000),
    cluster.log(),
  );
  cluster.start(['n2'], 'n3');
  cluster.awaitReady(['n1', 'n2', 'n3']);
});

test('a node that starts answers nothing before a majority confirmed that it is still itself', (t) => {
  const run = running(14);
  const { cluster, world, session } = run;
  session.set('n1', 'k', 'v');
  for (const name of ['n1', 'n2', 'n3']) cluster.crash(name, { powerLoss: false });
  cluster.start(['n1']);
  world.run(world.nowMs + 5000);
  t.regex(cluster.node('n1').ready() ?? '', /1 more of the members that decide \(3\) to confirm/);
  t.is(session.get('n1', 'k', LEVEL.one).error?.code, 'not-founded');
  cluster.start(['n2']);
  cluster.awaitReady(['n1', 'n2']);
  t.is(session.get('n1', 'k').value, 'v');
});

test('random starts: who is itself serves, who is not never does and ends, and nobody else notices', (t) => {
  for (let seed = 1; seed <= 6; seed++) {
    t.deepEqual(simulateStarts({ seed }).broken, [], `npm run sim -- --workload starts --seed ${seed}`);
  }
});
