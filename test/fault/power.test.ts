import test from 'ava';
import { deadlineMs, hold, within } from './events.js';
import { cyclesOf } from './fault-cycles.js';
import { Ledger } from './ledger.js';
import { Load } from './load.js';
import { can } from './machine.js';
import { readBack } from './read-back.js';
import { RealCluster } from './real-cluster.js';
import { Ext4Image, MemoryDisk } from './test-disk.js';

for (const [nodes, ci] of [
  [1, 8],
  [3, 3],
] as const) {
  test.serial(
    `every acknowledged write is found after power cuts under load, ${nodes} of ${nodes} nodes`,
    async (t) => {
      if (!can(t, 'tmpfs', 'loop', 'perl')) return;
      const memory = new MemoryDisk(t, 256);
      const disk = new Ext4Image(t, memory, { mebibytes: 240, journal: true });
      const place = (index: number): object => ({ dataDir: `${disk.directory}/data${index}` });
      const cluster = await RealCluster.start(t, { nodes, place });
      const client = await cluster.connect({ timeoutMs: 500 });
      const ledger = new Ledger();
      const cycles = cyclesOf(ci);
      for (let cycle = 0; cycle < cycles; cycle++) {
        const begun = ledger.moment;
        const load = new Load(t, client, ledger, { valueBytes: 100 + 700 * (cycle % 4) });
        await load.more('acknowledged', 50 + 61 * (cycle % 9));
        disk.cutPower();
        // A node that has something to write notices and ends itself. Once a majority did, nothing is written any more.
        await load.more('unknown', 1);
        const { programs } = cluster;
        await within(
          deadlineMs,
          () => programs.filter(({ running }) => !running).length > nodes / 2 - 1,
          () => 'an end',
        );
        for (const program of programs) if (nodes > 1 && program.running) program.signal('SIGKILL');
        const ends = await Promise.all(programs.map((program) => program.ended));
        t.true(ends.some(({ code, stderr }) => code === 70 && /"event":"fatal".*(EIO|EROFS)/.test(stderr)));
        await load.stop();
        disk.unmount();
        disk.mount();
        await Promise.all(cluster.nodes.map((node) => node.start()));
        t.deepEqual(load.broken, []);
        t.deepEqual(await readBack(client, ledger, begun), [], `cycle ${cycle}: ${ledger.summary()}`);
      }
      t.deepEqual(await readBack(client, ledger), []);
      t.log(`${cycles} power cuts: ${ledger.summary()}`);
    },
  );
}

test.serial(
  'with durability = interval a power cut loses no more than the last interval, kill -9 nothing',
  async (t) => {
    if (!can(t, 'tmpfs', 'loop', 'perl')) return;
    const memory = new MemoryDisk(t, 128);
    const disk = new Ext4Image(t, memory, { mebibytes: 120, journal: true });
    const cluster = await RealCluster.start(t, {
      nodes: 1,
      place: () => ({ dataDir: `${disk.directory}/data` }),
      storage: 'durability = "interval"\nsync_interval = "200ms"\n',
    });
    const client = await cluster.connect({ timeoutMs: 500 });
    const ledger = new Ledger();
    const load = new Load(t, client, ledger);
    await load.more('acknowledged', 500);
    await cluster.node(0).kill();
    await load.stop();
    await cluster.node(0).start();
    t.deepEqual(await readBack(client, ledger), [], 'after kill -9');

    const more = new Load(t, client, ledger);
    await more.more('acknowledged', 500);
    await more.stop();
    // The interval and the sync at its end; what came before is durable then.
    await hold(1_000);
    disk.cutPower();
    await cluster.node(0).kill();
    disk.unmount();
    disk.mount();
    await cluster.node(0).start();
    t.deepEqual(await readBack(client, ledger), [], 'after the power cut');
    t.log(ledger.summary());
  },
);
