import test from 'ava';
import { startDev, stopDev } from './dev-process.js';
import { runMemDb, startMemDb, temporaryDirectory } from './memdb-process.js';

const KEYS = 60;

test.serial('a node is added, serves, and leaves by the command line; a dead one is removed', async (t) => {
  const directory = temporaryDirectory(t);
  const here = { directory };
  const dev = await startDev(t, directory);
  const json = async (...words: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await runMemDb(t, [...words, '--json'], here);
    t.is(code, 0, `${words.join(' ')}: ${stdout.toString()} ${stderr}`);
    return JSON.parse(stdout.toString());
  };
  const allThere = async (): Promise<void> => {
    const { count } = await json('keys', '--timeout', '10s');
    t.is(count, KEYS);
  };
  for (let key = 0; key < KEYS; key++) t.is((await runMemDb(t, ['set', `k${key}`, 'v'], here)).code, 0);

  const preview = await json('change', 'preview', 'join');
  t.is(preview.copies, 192);
  t.true(Number(preview.bytes) > 0);

  const added = startMemDb(t, ['dev', 'add'], here);
  await added.printed(/node4 has joined/);
  t.is(dev.cluster().nodes[3]?.number, 4);
  const nodes = (await json('nodes')).nodes as { number: number; partitions: number; reachable: boolean }[];
  t.deepEqual(
    nodes.map(({ number, partitions, reachable }) => ({ number, partitions, reachable })),
    [1, 2, 3, 4].map((number) => ({ number, partitions: 192, reachable: true })),
  );
  const status = await json('status');
  t.is(status.health, 'healthy');
  t.is(status.pending, null);
  const ring = (await json('ring')).owners as number[][];
  t.is(ring.length, 256);
  t.true(ring.every((row) => new Set(row).size === 3));
  await allThere();

  t.is((await runMemDb(t, ['leave', '4'], here)).code, 2, 'nobody can be asked');
  t.deepEqual(await json('leave', '4', '--yes'), { change: 'leave', epoch: (await json('status')).epoch, done: true });
  const { code } = await added.ended;
  t.is(code, 0);
  t.is(dev.cluster().nodes[3]?.pid, null);
  await allThere();

  process.kill(dev.cluster().nodes[2]?.pid ?? 0, 'SIGKILL');
  await dev.program.printed(/node3 died/);
  t.is((await json('remove', '3', '--yes', '--timeout', '10s')).done, true);
  t.is((await json('status')).health, 'healthy');
  await allThere();
  const again = await runMemDb(t, ['dev', 'start', '3'], here);
  t.is(again.code, 1);
  t.regex(again.stderr, /was removed from the cluster/);

  t.is((await json('setting', 'limits.request_timeout', '3s')).done, true);
  t.is((await json('setting', 'limits.request_timeout')).value, '3s');
  t.is((await runMemDb(t, ['setting', 'limits.request_timeot', '3s'], here)).code, 2);
  t.is(await stopDev(dev), 0);
});
