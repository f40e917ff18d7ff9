import test from 'ava';
import { cyclesOf } from './fault-cycles.js';
import { Ledger } from './ledger.js';
import { Load } from './load.js';
import { endsWell, underLoad } from './loaded.js';
import { can, processState } from './machine.js';
import { readBack } from './read-back.js';
import { RealCluster } from './real-cluster.js';
import { Ext4Image, MemoryDisk } from './test-disk.js';

// One node alone: every acknowledged write depends on this one disk.

test.serial('on a full disk writes are refused, reads go on, and writing resumes by itself', async (t) => {
  if (!can(t, 'tmpfs')) return;
  const disk = new MemoryDisk(t, 24);
  const cluster = await RealCluster.start(t, { nodes: 1, place: () => ({ dataDir: `${disk.directory}/data` }) });
  const client = await cluster.connect({ timeoutMs: 500 });
  const ledger = new Ledger();
  for (let round = 0; round < 2; round++) {
    const load = new Load(t, client, ledger, { valueBytes: 4_000 });
    await load.more('acknowledged', 100);
    t.true(disk.fill() > 0);
    await load.more('not-applied', 50);
    t.true((ledger.codes.get('storage-full') ?? 0) > 0, ledger.summary());
    const { reads } = load;
    await load.stop();
    t.true(reads > 0);
    t.deepEqual(load.broken, []);
    t.deepEqual(await readBack(client, ledger), [], 'while the disk is full');
    t.is((await cluster.node(0).program.logged('disk-full', round)).level, 'warn');

    disk.free();
    const again = new Load(t, client, ledger);
    await again.more('acknowledged', 100);
    await again.stop();
    await cluster.node(0).program.logged('disk-space-back', round);
    t.deepEqual(await readBack(client, ledger), []);
  }
  await cluster.node(0).kill();
  await cluster.node(0).start();
  t.deepEqual(await readBack(client, ledger), []);
  t.log(ledger.summary());
});

test.serial('a node whose disk is full is no loss to its cluster, and catches up when there is space', async (t) => {
  if (!can(t, 'tmpfs')) return;
  const disk = new MemoryDisk(t, 24);
  const place = (index: number): object => (index === 0 ? { dataDir: `${disk.directory}/data` } : {});
  const cluster = await RealCluster.start(t, { nodes: 3, place });
  const loaded = await underLoad(t, cluster, { valueBytes: 4_000 });
  const { load } = loaded;
  t.true(disk.fill() > 0);
  await cluster.node(0).program.logged('disk-full');
  await load.more('acknowledged', 500);
  disk.free();
  await cluster.node(0).program.logged('disk-space-back');
  await endsWell(t, loaded);
});

test.serial('a failed sync ends the process, and after a restart everything acknowledged is there', async (t) => {
  if (!can(t, 'tmpfs', 'loop')) return;
  const memory = new MemoryDisk(t, 64);
  const disk = new Ext4Image(t, memory, { mebibytes: 128, journal: false });
  const cluster = await RealCluster.start(t, { nodes: 1, place: () => ({ dataDir: `${disk.directory}/data` }) });
  const client = await cluster.connect({ timeoutMs: 500 });
  const ledger = new Ledger();
  for (let cycle = 0; cycle < cyclesOf(3); cycle++) {
    const load = new Load(t, client, ledger, { valueBytes: 2_000 });
    await load.more('acknowledged', 200);
    // Below the file system there is no space any more: the next write of a block that held zeros fails at its sync,
    // and the one after that would succeed.
    const { program } = cluster.node(0);
    program.signal('SIGSTOP');
    t.is(processState(program.pid), 'T');
    disk.punchZeros();
    memory.fill();
    program.signal('SIGCONT');
    const { code, stderr } = await program.ended;
    const endedMs = Date.now();
    t.is(code, 70);
    const fatal = JSON.parse(stderr.split('\n').find((line) => line.includes('"event":"fatal"')) ?? '{}');
    t.regex(String(fatal.message), /sync|write|EIO/);
    t.log(`${fatal.message}; gone after ${endedMs - Date.parse(fatal.time)} ms`);
    const acknowledged = ledger.count('acknowledged');
    await load.more('not-applied', 1);
    t.is(ledger.count('acknowledged'), acknowledged, 'nothing is acknowledged after the end');
    await load.stop();
    memory.free();

    // The page cache still shows what the device never got.
    await cluster.node(0).start();
    t.deepEqual(await readBack(client, ledger), [], 'as the page cache shows it');
    await cluster.node(0).kill();
    disk.unmount();
    disk.mount();
    await cluster.node(0).start();
    t.deepEqual(load.broken, []);
    t.deepEqual(await readBack(client, ledger), [], 'as the device holds it');
  }
  t.log(ledger.summary());
});
