import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@memdb/client';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { freePorts, type Program, runMemDb, startMemDb, temporaryDirectory } from './memdb-process.js';

interface SingleNode {
  readonly directory: string;
  readonly port: number;
  readonly keysFile: string;
  readonly configFile: string;
  readonly url: string;
}

async function makeKey(t: ExecutionContext, role: string, id: string): Promise<{ table: string; secret: string }> {
  const made = await runMemDb(t, ['keygen', '--role', role, '--id', id], { directory: '/' });
  const table = made.stdout.toString();
  return { table, secret: /secret = "([^"]+)"/.exec(table)?.[1] ?? '' };
}

/** A directory with a configuration and keys for one node, which is not started. */
async function prepare(t: ExecutionContext): Promise<SingleNode> {
  const directory = temporaryDirectory(t);
  const port = await freePorts(1);
  const keysFile = join(directory, 'keys.toml');
  const configFile = join(directory, 'memdb.toml');
  const client = await makeKey(t, 'client', 'app');
  const node = await makeKey(t, 'node', 'peers');
  writeFileSync(keysFile, node.table + client.table, { mode: 0o600 });
  writeFileSync(
    configFile,
    `[node]\ndata_dir = "${directory}/data"\nlisten = "127.0.0.1:${port}"\nhttp = "127.0.0.1:${port + 100}"\n` +
      `[cluster]\nreplication_factor = 1\n[auth]\nkeys_file = "${keysFile}"\n`,
  );
  return { directory, port, keysFile, configFile, url: `memdb://app:${client.secret}@127.0.0.1:${port}` };
}

async function start(t: ExecutionContext, node: SingleNode, words: readonly string[] = []): Promise<Program> {
  const server = startMemDb(t, ['server', '--config', node.configFile, ...words], { directory: node.directory });
  await server.logged('serving');
  return server;
}

test('SIGTERM drains and exits with 0, and the data is there after the next start', async (t) => {
  const node = await prepare(t);
  const server = await start(t, node);
  const at = { directory: node.directory, environment: { MEMDB_URL: node.url } };
  t.is((await runMemDb(t, ['set', 'k', 'v'], at)).code, 0);
  server.signal('SIGTERM');
  const ended = await server.ended;
  t.is(ended.code, 0);
  t.regex(ended.stderr, /"event":"stopped"/);
  const again = await start(t, node);
  t.is((await runMemDb(t, ['get', 'k'], at)).stdout.toString(), 'v');
  again.signal('SIGINT');
  t.is((await again.ended).code, 0);
});

test('what is acknowledged while a node drains is there after the next start', async (t) => {
  const node = await prepare(t);
  const server = await start(t, node);
  const client = await connect(node.url, { timeoutMs: 3_000 });
  const keys = Array.from({ length: 2_000 }, (_, index) => `k${index}`);
  const writes = keys.map((key) => client.set(key, key.repeat(20)));
  await Promise.race(writes);
  server.signal('SIGTERM');
  const results = await Promise.allSettled(writes);
  t.is((await server.ended).code, 0);
  await client.close();
  const acknowledged = keys.filter((_, index) => results[index]?.status === 'fulfilled');
  t.log(`${acknowledged.length} of ${keys.length} acknowledged`);
  t.true(acknowledged.length > 0);

  await start(t, node);
  const again = await connect(node.url);
  const found = await again.getMany(acknowledged);
  await again.close();
  t.deepEqual(
    found.map(({ value }) => value),
    acknowledged.map((key) => key.repeat(20)),
  );
});

test('the log is JSON lines on standard error and standard output stays empty', async (t) => {
  const node = await prepare(t);
  const server = await start(t, node);
  server.signal('SIGTERM');
  const { stdout, stderr } = await server.ended;
  t.is(stdout.length, 0);
  for (const line of stderr.trimEnd().split('\n')) {
    const { level, time, event } = JSON.parse(line);
    t.true(
      [level, time, event].every((field) => typeof field === 'string'),
      line,
    );
  }
});

test('SIGHUP replaces the keys: the new key works at once and the removed one does not', async (t) => {
  const node = await prepare(t);
  const server = await start(t, node);
  const renewed = await makeKey(t, 'client', 'renewed');
  const nodeTable = readFileSync(node.keysFile, 'utf8').split('[[key]]')[1];
  writeFileSync(node.keysFile, `[[key]]${nodeTable}${renewed.table}`);
  server.signal('SIGHUP');
  const event = await server.logged('reloaded');
  t.is(event.keys, 'node:peers, client:renewed');
  const directory = node.directory;
  const old = await runMemDb(t, ['set', 'k', 'v', '--json', '--url', node.url], { directory });
  t.is(JSON.parse(old.stdout.toString()).error.code, 'authentication-failed');
  t.is(old.code, 1);
  const url = `memdb://renewed:${renewed.secret}@127.0.0.1:${node.port}`;
  t.is((await runMemDb(t, ['set', 'k', 'v', '--url', url], { directory })).code, 0);
});

test('a changed keys file is picked up without any signal', async (t) => {
  const node = await prepare(t);
  const server = await start(t, node);
  const more = await makeKey(t, 'admin', 'boss');
  writeFileSync(node.keysFile, readFileSync(node.keysFile, 'utf8') + more.table);
  const event = await server.logged('reloaded');
  t.is(event.cause, 'keys-file');
  t.regex(String(event.keys), /admin:boss/);
});

test('SIGHUP applies limits and log level, names what needs a restart, and ignores a broken file', async (t) => {
  const node = await prepare(t);
  const server = await start(t, node);
  const at = { directory: node.directory, environment: { MEMDB_URL: node.url } };
  const text = readFileSync(node.configFile, 'utf8');
  writeFileSync(
    node.configFile,
    `${text}[limits]\nmax_value = "10B"\n[storage]\nsync_interval = "5ms"\n[log]\nlevel = "debug"\n`,
  );
  server.signal('SIGHUP');
  t.is((await server.logged('reloaded')).applied, 'limits.max_value, log.level');
  t.is((await server.logged('reload-needs-restart')).settings, 'storage.sync_interval');
  const refused = await runMemDb(t, ['set', 'k', 'eleven bytes', '--json'], at);
  t.is(JSON.parse(refused.stdout.toString()).error.code, 'value-too-large');
  t.is(refused.code, 1);

  writeFileSync(node.configFile, `${text}[limits]\nmax_values = "10B"\n`);
  server.signal('SIGHUP');
  t.regex(
    String((await server.logged('reload-failed')).message),
    /nothing was changed.*did you mean limits\.max_value/,
  );
  t.is((await runMemDb(t, ['set', 'k', 'ten bytes!'], at)).code, 0);
});

test('a second process on the same data directory is refused and the first goes on', async (t) => {
  const node = await prepare(t);
  await start(t, node);
  const port = await freePorts(1);
  const words = ['server', '--config', node.configFile, '--listen', `127.0.0.1:${port}`, '--http', 'off'];
  const second = await runMemDb(t, words, { directory: node.directory });
  t.is(second.code, 1);
  t.regex(second.stderr, /data directory .* is in use by process \d+/);
  const at = { directory: node.directory, environment: { MEMDB_URL: node.url } };
  t.is((await runMemDb(t, ['set', 'k', 'v'], at)).code, 0);
});

test('a port that is in use is named with the flag that changes it', async (t) => {
  const node = await prepare(t);
  await start(t, node);
  for (const [flag, address] of [
    ['--listen', `127.0.0.1:${node.port}`],
    ['--http', `127.0.0.1:${node.port + 100}`],
  ]) {
    const other = await freePorts(1);
    const free = flag === '--listen' ? ['--http', `127.0.0.1:${other}`] : ['--listen', `127.0.0.1:${other}`];
    const words = ['server', '--config', node.configFile, '--data', join(node.directory, 'other'), ...free];
    const second = await runMemDb(t, words, { directory: node.directory });
    t.is(second.code, 1);
    t.regex(second.stderr, new RegExp(`${address} is in use by another process.*${flag}`));
  }
});

test('mistakes in the configuration are all reported before anything is touched, with exit code 1', async (t) => {
  const node = await prepare(t);
  writeFileSync(node.configFile, '[node]\nlisten = "nowhere"\ndatadir = "x"\n');
  for (const words of [
    ['server', '--config', node.configFile],
    ['server', '--config', node.configFile, '--check-config'],
  ]) {
    const result = await runMemDb(t, [...words, '--json'], { directory: node.directory });
    t.is(result.code, 1);
    const { error } = JSON.parse(result.stdout.toString());
    t.is(error.code, 'config-invalid');
    t.deepEqual(
      error.problems.map((problem: { key: string }) => problem.key),
      ['node.listen', 'node.datadir'],
    );
  }
  const missing = await runMemDb(t, ['server', '--config', '/does/not/exist'], { directory: node.directory });
  t.is(missing.code, 1);
  t.regex(missing.stderr, /cannot read \/does\/not\/exist: there is no such file/);
});

test('a keys file that is absent or open to others is named with the command that helps', async (t) => {
  const node = await prepare(t);
  const words = ['server', '--config', node.configFile, '--check-config'];
  chmodSync(node.keysFile, 0o644);
  const open = await runMemDb(t, words, { directory: node.directory });
  t.is(open.code, 0);
  t.regex(open.stderr, /can be read by other users.*chmod 600/);
  const absent = await runMemDb(t, [...words, '--set', 'auth.keys_file=/does/not/exist'], {
    directory: node.directory,
  });
  t.is(absent.code, 1);
  t.regex(absent.stderr, /memdb keygen --role/);
});

test('log verify and log dump read a stopped node, and damage is named and never started with', async (t) => {
  const node = await prepare(t);
  const server = await start(t, node);
  const at = { directory: node.directory, environment: { MEMDB_URL: node.url } };
  t.is((await runMemDb(t, ['set', 'Ada', 'Lovelace'], at)).code, 0);
  t.is((await runMemDb(t, ['delete', 'Ada'], at)).code, 0);
  server.signal('SIGTERM');
  await server.ended;

  const files = readdirSync(join(node.directory, 'data/log')).filter((name) => name.endsWith('.seg'));
  const [first = ''] = files.sort().map((name) => join(node.directory, 'data/log', name));
  const verified = JSON.parse((await runMemDb(t, ['log', 'verify', first, '--json'], at)).stdout.toString());
  t.true(verified.valid);
  t.is(verified.problem, null);
  const dump = JSON.parse((await runMemDb(t, ['log', 'dump', first, '--json'], at)).stdout.toString());
  const ofKey = dump.records.filter((record: { key?: string }) => record.key === 'Ada');
  t.deepEqual(
    ofKey.map(({ kind, value }: { kind: string; value?: string }) => [kind, value]),
    [
      ['value', 'Lovelace'],
      ['tombstone', undefined],
    ],
  );
  const text = await runMemDb(t, ['log', 'dump', first], at);
  t.regex(text.stdout.toString(), /value +\d+\/1 "Ada" = "Lovelace"/);

  const bytes = readFileSync(first);
  const broken = ofKey[0].offset + 25;
  bytes[broken] = (bytes[broken] ?? 0) ^ 1;
  writeFileSync(first, bytes);
  const damaged = await runMemDb(t, ['log', 'verify', first], at);
  t.is(damaged.code, 1);
  t.regex(damaged.stdout.toString(), new RegExp(`DAMAGED: .*offset ${ofKey[0].offset}`));
  const refused = await runMemDb(t, ['server', '--config', node.configFile], at);
  t.is(refused.code, 1);
  t.regex(refused.stderr, /^memdb: log\/0000000000000001\.seg: a durable record is damaged at byte/m);
  t.regex(refused.stderr, /Put the undamaged file back into this very directory/);
  t.notRegex(refused.stderr, /cannot listen/);
  t.regex(refused.stderr, new RegExp(`\\b${ofKey[0].offset}\\b`));
});

test('without files a node serves from memory', async (t) => {
  const node = await prepare(t);
  const server = await start(t, node, ['--set', 'storage.durability=none']);
  const at = { directory: node.directory, environment: { MEMDB_URL: node.url } };
  t.is((await runMemDb(t, ['set', 'k', 'v'], at)).code, 0);
  t.is((await runMemDb(t, ['get', 'k'], at)).stdout.toString(), 'v');
  server.signal('SIGTERM');
  t.is((await server.ended).code, 0);
});
