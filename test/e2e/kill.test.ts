import test from 'ava';
import { startDev, stopDev } from './dev-process.js';
import { isAlive, runMemDb, temporaryDirectory } from './memdb-process.js';

test.serial(
  'memdb kill ends the real process at once, --graceful lets it finish, and a client key may do neither',
  async (t) => {
    const directory = temporaryDirectory(t);
    const dev = await startDev(t, directory);
    const { clientUrl, nodes } = dev.cluster();
    const refused = await runMemDb(t, ['kill', '3', '--yes', '--url', clientUrl], { directory });
    t.not(refused.code, 0);
    t.regex(refused.stderr, /key/);
    t.true(isAlive(nodes[2]?.pid ?? 0));

    const killed = await runMemDb(t, ['kill', '3', '--yes', '--json'], { directory });
    t.is(killed.code, 0, killed.stderr);
    const dead = dev.cluster().nodes.find(({ id }) => id === JSON.parse(killed.stdout.toString()).id);
    await dev.program.printed(/died \(SIGKILL\)/);
    t.is(dead?.number, 3);

    const stopped = await runMemDb(t, ['kill', '2', '--yes', '--graceful'], { directory });
    t.is(stopped.code, 0, stopped.stderr);
    await dev.program.printed(/died \(exit code 0\)/);
    t.is(await stopDev(dev), 0);
  },
);
