import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { hold } from './events.js';
import { endsWell, underLoad } from './loaded.js';
import { can, FAKETIME_LIBRARY, processState } from './machine.js';
import { RealCluster } from './real-cluster.js';

const DAY_MS = 86_400_000;

for (const [stopped, milliseconds] of [
  [1, 1_000],
  [1, 10_000],
  [2, 1_000],
] as const) {
  test.serial(
    `every acknowledged write is found after ${stopped} of three nodes stood still for ${milliseconds / 1_000} s`,
    async (t) => {
      const cluster = await RealCluster.start(t, { nodes: 3 });
      const loaded = await underLoad(t, cluster);
      const { load } = loaded;
      const victims = cluster.nodes.slice(0, stopped);
      for (const { program } of victims) program.signal('SIGSTOP');
      for (const { program } of victims) t.is(processState(program.pid), 'T');
      const still = hold(milliseconds);
      if (stopped === 1) await load.more('acknowledged', 50);
      await still;
      for (const { program } of victims) t.is(processState(program.pid), 'T');
      for (const { program } of victims) program.signal('SIGCONT');
      await endsWell(t, loaded);
    },
  );
}

test.serial('a wall clock that jumps a day forth and back, and is a day off at a restart, loses nothing', async (t) => {
  if (!can(t, 'faketime')) return;
  const directory = mkdtempSync(join(tmpdir(), 'memdb-clock-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const clocks = [0, 1, 2].map((index) => join(directory, `clock${index}`));
  const setClock = (index: number, offset: string): void => writeFileSync(clocks[index] ?? '', `${offset}\n`);
  for (const index of clocks.keys()) setClock(index, '+0');
  const cluster = await RealCluster.start(t, {
    nodes: 3,
    place: (index) => ({
      environment: {
        LD_PRELOAD: FAKETIME_LIBRARY,
        FAKETIME_TIMESTAMP_FILE: clocks[index] ?? '',
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    }),
  });
  /** How far the wall clock of a node is off, by what it logs when it reads its configuration again. */
  const reloads = [0, 0, 0];
  const daysOff = async (index: number): Promise<number> => {
    const { program } = cluster.node(index);
    program.signal('SIGHUP');
    const line = await program.logged('reloaded', reloads[index]);
    reloads[index] = (reloads[index] ?? 0) + 1;
    return Math.round((Date.parse(String(line.time)) - Date.now()) / DAY_MS);
  };
  const loaded = await underLoad(t, cluster);
  const { load } = loaded;
  setClock(0, '+1d');
  t.is(await daysOff(0), 1);
  setClock(1, '-1d');
  t.is(await daysOff(1), -1);
  await load.more('acknowledged', 200);
  setClock(0, '-1d');
  t.is(await daysOff(0), -1);
  await load.more('acknowledged', 200);
  // The clock lease must not depend on the wall clock: a restart a day earlier stamps above what came before.
  await cluster.node(2).kill();
  setClock(2, '-1d');
  await cluster.node(2).start();
  reloads[2] = 0;
  t.is(await daysOff(2), -1);
  await endsWell(t, loaded);
});
