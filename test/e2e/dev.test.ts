import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { dirname, join } from 'node:path';
import test from 'ava';
import { readCluster, startDev, stopDev } from './dev-process.js';
import { freePorts, isAlive, Program, repository, runMemDb, startMemDb, temporaryDirectory } from './memdb-process.js';

const binary = Uint8Array.from({ length: 70_000 }, (_, index) => index % 251);

test.serial('what was stored before Ctrl-C is there after the next start', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await startDev(t, directory);
  const here = { directory };
  t.is((await runMemDb(t, ['set', 'greeting', 'hello'], here)).code, 0);
  t.is((await runMemDb(t, ['set', 'bytes', '-'], { ...here, input: binary })).code, 0);
  t.is((await runMemDb(t, ['set', 'empty', ''], here)).code, 0);
  t.is((await runMemDb(t, ['set', 'gone', 'x'], here)).code, 0);
  t.is((await runMemDb(t, ['delete', 'gone'], here)).code, 0);

  const pids = first.cluster().nodes.map((node) => node.pid ?? 0);
  const identities = first.cluster().nodes.map((node) => node.id);
  t.is(await stopDev(first), 0);
  t.false(existsSync(join(directory, '.memdb/cluster.json')));
  t.deepEqual(pids.filter(isAlive), []);

  const second = await startDev(t, directory, { port: first.port });
  t.deepEqual(
    second.cluster().nodes.map((node) => node.id),
    identities,
  );
  t.is((await runMemDb(t, ['get', 'greeting'], here)).stdout.toString(), 'hello');
  t.deepEqual(Uint8Array.from((await runMemDb(t, ['get', 'bytes'], here)).stdout), binary);
  const empty = await runMemDb(t, ['get', 'empty'], here);
  t.deepEqual([empty.code, empty.stdout.length], [0, 0]);
  t.is((await runMemDb(t, ['get', 'gone'], here)).code, 3);
  t.is((await runMemDb(t, ['contains', 'greeting'], here)).stdout.toString(), 'true\n');
  t.is(await stopDev(second), 0);
});

test.serial('npm start serves, and one Ctrl-C in its terminal ends every node in order', async (t) => {
  const directory = temporaryDirectory(t);
  const data = join(directory, '.memdb');
  const npm = process.env.npm_execpath ?? join(dirname(process.execPath), '../lib/node_modules/npm/bin/npm-cli.js');
  const words = ['start', '--', '--data', data, '--port', String(await freePorts(3))];
  const program = new Program(t, npm, words, { directory: repository, group: true });
  await program.printed(/MemDB serves/);
  t.is((await runMemDb(t, ['set', 'k', 'v'], { directory })).code, 0);
  const { nodes } = readCluster(directory);
  program.signal('SIGINT');
  await program.ended;
  for (const node of nodes) t.regex(readFileSync(join(node.dataDir, 'memdb.log'), 'utf8'), /"event":"stopped"/);
});

test.serial('nodes find each other again on other ports', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await startDev(t, directory);
  t.is((await runMemDb(t, ['set', 'k', 'v'], { directory })).code, 0);
  t.is(await stopDev(first), 0);
  const second = await startDev(t, directory);
  t.not(second.port, first.port);
  t.is((await runMemDb(t, ['get', 'k'], { directory })).stdout.toString(), 'v');
  t.is(await stopDev(second), 0);
});

test.serial('a node that dies is named, the others go on, and dev start brings it back', async (t) => {
  const directory = temporaryDirectory(t);
  const dev = await startDev(t, directory);
  const victim = dev.cluster().nodes[2];
  process.kill(victim?.pid ?? 0, 'SIGKILL');
  await dev.program.printed(/node3 died \(SIGKILL\); it is not restarted/);
  t.is(dev.cluster().nodes[2]?.pid, null);

  t.is((await runMemDb(t, ['set', 'k', 'while it is away'], { directory })).code, 0);
  t.is((await runMemDb(t, ['get', 'k'], { directory })).stdout.toString(), 'while it is away');

  const node = startMemDb(t, ['dev', 'start', '3'], { directory });
  await node.printed(/node3 serves again/);
  t.true(isAlive(dev.cluster().nodes[2]?.pid ?? 0));
  t.is(dev.cluster().nodes[2]?.id, victim?.id);
  const again = await runMemDb(t, ['dev', 'start', '3'], { directory });
  t.is(again.code, 1);
  t.regex(again.stderr, /node3 runs already/);

  const read = await runMemDb(t, ['quorum-get', 'k', '--replies', 'all', '--json', '--timeout', '10s'], { directory });
  t.is(read.code, 0, read.stdout.toString());
  const document = JSON.parse(read.stdout.toString());
  t.is(document.value, 'while it is away');
  t.is(document.responses.length, 3);

  node.signal('SIGINT');
  t.is((await node.ended).code, 0);
  t.is(dev.cluster().nodes[2]?.pid, null);
  t.is(await stopDev(dev), 0);
});

test.serial('Ctrl-C also ends a node that dev start brought back', async (t) => {
  const directory = temporaryDirectory(t);
  const dev = await startDev(t, directory);
  process.kill(dev.cluster().nodes[0]?.pid ?? 0, 'SIGKILL');
  await dev.program.printed(/node1 died/);
  const node = startMemDb(t, ['dev', 'start', 'node1'], { directory });
  await node.printed(/node1 serves again/);
  t.is(await stopDev(dev), 0);
  t.is((await node.ended).code, 0);
});

test.serial('a killed memdb dev leaves no node behind, and the next start takes over', async (t) => {
  const directory = temporaryDirectory(t);
  const dev = await startDev(t, directory);
  t.is((await runMemDb(t, ['set', 'k', 'v'], { directory })).code, 0);
  dev.program.signal('SIGKILL');
  await dev.program.ended;
  const next = await startDev(t, directory);
  t.is((await runMemDb(t, ['get', 'k'], { directory })).stdout.toString(), 'v');
  t.is(await stopDev(next), 0);
});

test.serial('the cluster file says where everything is, and the URLs in it work', async (t) => {
  const directory = temporaryDirectory(t);
  const dev = await startDev(t, directory);
  const cluster = dev.cluster();
  t.is(cluster.manager?.url, `http://127.0.0.1:${dev.port + 200}`);
  t.true(isAlive(cluster.manager?.pid ?? 0));
  t.is(cluster.nodes.length, 3);
  t.is(new Set(cluster.nodes.map((node) => node.id)).size, 3);
  t.deepEqual(
    cluster.nodes.map((node) => node.number).sort((a, b) => a - b),
    [1, 2, 3],
  );
  for (const [offset, node] of cluster.nodes.entries()) {
    t.is(node.address, `127.0.0.1:${dev.port + offset}`);
    t.is(node.http, `127.0.0.1:${dev.port + 100 + offset}`);
    t.is((await fetch(`http://${node.http}/livez`)).status, 200);
    t.is((await fetch(`http://${node.http}/readyz`)).status, 200);
    t.regex(await (await fetch(`http://${node.http}/metrics`)).text(), /^memdb_ready 1$/m);
  }
  const elsewhere = { directory: temporaryDirectory(t), environment: { MEMDB_URL: cluster.clientUrl } };
  t.is((await runMemDb(t, ['set', 'k', 'v'], elsewhere)).code, 0);
  const wrongKey = cluster.clientUrl.replace(/:[^:@]{43}@/, `:${'A'.repeat(43)}@`);
  const refused = await runMemDb(t, ['get', 'k', '--url', wrongKey, '--json'], elsewhere);
  t.is(refused.code, 1);
  t.is(JSON.parse(refused.stdout.toString()).error.code, 'authentication-failed');
  t.is(await stopDev(dev), 0);

  const nobody = await runMemDb(t, ['get', 'k', '--timeout', '1s'], elsewhere);
  t.is(nobody.code, 4);
  t.regex(nobody.stderr, /is a cluster running there\?/);
});

test.serial('a second memdb dev in the same directory is refused and disturbs nothing', async (t) => {
  const directory = temporaryDirectory(t);
  const dev = await startDev(t, directory);
  const second = await runMemDb(t, ['dev', '--port', String(dev.port), '--json'], { directory });
  t.is(second.code, 1);
  t.is(JSON.parse(second.stdout.toString()).error.code, 'disk-locked');
  t.is((await runMemDb(t, ['set', 'k', 'v'], { directory })).code, 0);
  t.is(await stopDev(dev), 0);
});

test.serial('a port that is in use is named, and nothing is left running', async (t) => {
  const directory = temporaryDirectory(t);
  const dev = await startDev(t, directory);
  const other = temporaryDirectory(t);
  const refused = await runMemDb(t, ['dev', '--port', String(dev.port + 2)], { directory: other });
  t.is(refused.code, 1);
  t.regex(refused.stderr, /127\.0\.0\.1:\d+ is in use by another process.*memdb dev --port/);
  await t.throwsAsync(
    new Promise((resolve, reject) => {
      dial(dev.port + 3, '127.0.0.1')
        .once('connect', resolve)
        .once('error', reject);
    }),
    { code: 'ECONNREFUSED' },
  );
  t.is(await stopDev(dev), 0);
});

test.serial('--fresh starts over, keeps its hands off what is not its own, and another size needs it', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await startDev(t, directory);
  t.is((await runMemDb(t, ['set', 'k', 'v'], { directory })).code, 0);
  const { clientUrl } = first.cluster();
  t.is(await stopDev(first), 0);

  const differs = await runMemDb(t, ['dev', '--nodes', '1', '--port', String(first.port)], { directory });
  t.is(differs.code, 1);
  t.regex(differs.stderr, /holds a cluster of 3 nodes.*--fresh/);

  const foreign = join(directory, '.memdb/notes.txt');
  writeFileSync(foreign, 'mine');
  const refused = await runMemDb(t, ['dev', '--fresh', '--port', String(first.port)], { directory });
  t.is(refused.code, 1);
  t.regex(refused.stderr, /notes\.txt/);
  t.is(readFileSync(foreign, 'utf8'), 'mine');

  rmSync(foreign);
  const fresh = await startDev(t, directory, { port: first.port, words: ['--fresh', '--nodes', '1'] });
  t.is(fresh.cluster().nodes.length, 1);
  t.not(fresh.cluster().clientUrl, clientUrl);
  t.is((await runMemDb(t, ['get', 'k'], { directory })).code, 3);
  t.is(await stopDev(fresh), 0);
});
