import { cpSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { freePorts, type Program, startMemDb, temporaryDirectory } from '../e2e/memdb-process.js';
import { RealCluster } from './real-cluster.js';

/** Starts one more process with the configuration of a node, on another directory and port. */
async function another(t: ExecutionContext, cluster: RealCluster, index: number, dataDir: string): Promise<Program> {
  const { configFile } = cluster.node(index);
  const address = `127.0.0.1:${await freePorts(1)}`;
  const words = ['server', '--config', configFile, '--data', dataDir, '--listen', address];
  return startMemDb(t, words, { directory: '/' });
}

test('a copy of the directory of a running node, started beside it, says what to do and ends; nobody else notices', async (t) => {
  const cluster = await RealCluster.start(t, { nodes: 3 });
  const client = await cluster.connect();
  for (let index = 0; index < 50; index++) await client.set(`key ${index}`, 'v', { consistency: 'all' });
  const original = join(dirname(cluster.node(0).configFile), 'data');
  const copy = join(temporaryDirectory(t), 'copy');
  cpSync(original, copy, { recursive: true, filter: (name) => !basename(name).startsWith('LOCK') });
  const ended = await (await another(t, cluster, 0, copy)).ended;
  t.is(ended.code, 1, ended.stderr);
  // Either shows first: that the original lives, or that the copy lacks what the original has logged since.
  t.regex(
    ended.stderr,
    /"event":"refused".*([Aa]nother process|restored from a copy).*[Ss]top .*empty (the )?data directory/,
  );
  t.false(ended.stderr.includes('"event":"serving"'));
  for (const program of cluster.programs) {
    t.true(program.running);
    t.false(program.stderr.includes('"level":"error"'), program.stderr);
  }
  for (let index = 0; index < 50; index++) await client.set(`key ${index}`, 'w', { consistency: 'all' });
});

test('a node whose seeds belong to another cluster says so, and serves its own', async (t) => {
  const [one, other] = await Promise.all([RealCluster.start(t, { nodes: 1 }), RealCluster.start(t, { nodes: 1 })]);
  const [ours, theirs] = [one.node(0), other.node(0)];
  await ours.kill();
  const [seed] = other.addresses;
  // The keys of the other cluster, too: only the data is that of this one.
  const program = startMemDb(
    t,
    ['server', '--config', theirs.configFile, '--data', join(dirname(ours.configFile), 'data')].concat([
      '--listen',
      one.addresses[0] ?? '',
      '--seeds',
      seed ?? '',
    ]),
    { directory: '/' },
  );
  const line = await program.logged('peer-handshake-failed');
  t.is(line.code, 'wrong-cluster');
  t.regex(String(line.message), /belongs to cluster .* expected is .* Check the seeds|Not this cluster/);
  await program.logged('serving');
  t.true(theirs.program.running);
  t.false(theirs.program.stderr.includes('"level":"error"'));
});
