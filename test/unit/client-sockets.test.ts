import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { promisify } from 'node:util';
import { type Client, connect, MemDbError } from '@memdb/client';
import { formatUrl } from '@memdb/protocol';
import test, { type ExecutionContext } from 'ava';
import { SystemRandom } from '../../src/platform/system-random.js';
import { TcpTransport } from '../../src/platform/tcp-transport.js';
import type { Address } from '../../src/ports/transport.js';
import { FAKE_KEY, FakeCluster, FakeServer } from '../harness/fake-server.js';

/** Fake servers on real sockets, closed when the test ends. */
async function startServers(t: ExecutionContext, count: number): Promise<FakeCluster> {
  const cluster = new FakeCluster();
  const ports = { transport: new TcpTransport(), random: new SystemRandom() };
  for (let number = 1; number <= count; number++) {
    const server = new FakeServer(cluster, number, ports, { host: '127.0.0.1', port: 0 });
    await new Promise<Address>((resolve) => {
      const listener = server.listen(server.address, resolve);
      t.teardown(() => {
        listener.close();
        for (const session of server.sessions) session.connection.destroy();
      });
    });
  }
  return cluster;
}

function urlOf(cluster: FakeCluster): string {
  return formatUrl({
    keyId: FAKE_KEY.id,
    secret: FAKE_KEY.secret,
    seeds: cluster.servers.map(({ address }) => address),
  });
}

async function exercise(t: ExecutionContext, db: Client): Promise<void> {
  const large = 'x'.repeat(3_000_000);
  await db.set('large', large);
  t.is((await db.get('large'))?.length, large.length);
  const keys = Array.from({ length: 2000 }, (_, index) => `key:${index}`);
  await Promise.all(keys.map((key) => db.set(key, `value of ${key}`)));
  t.deepEqual(
    await Promise.all(keys.map((key) => db.get(key))),
    keys.map((key) => `value of ${key}`),
  );
  t.true((await db.getMany(keys)).every(({ key, value }) => value === `value of ${key}`));
}

test('a URL is all it takes: three nodes on loopback, thousands of operations, large values', async (t) => {
  const cluster = await startServers(t, 3);
  const db = await connect(urlOf(cluster), { timeoutMs: 20_000 });
  t.is(db.stats.connections, 3);
  await exercise(t, db);
  t.is(db.stats.retries, 0);
  await db.close();
});

test('`await using` closes the client', async (t) => {
  const cluster = await startServers(t, 1);
  let kept: Client | undefined;
  {
    await using db = await connect(urlOf(cluster));
    kept = db;
    await db.set('a', '1');
  }
  const error = await t.throwsAsync(() => kept.get('a') as Promise<unknown>, { instanceOf: MemDbError });
  t.is(error.code, 'client-closed');
});

test('nobody listens: unavailable, not-applied, with an address in the sentence', async (t) => {
  const key = { id: FAKE_KEY.id, secret: FAKE_KEY.secret };
  const error = await t.throwsAsync(() => connect({ seeds: ['127.0.0.1:1'], key, connectTimeoutMs: 300 }), {
    instanceOf: MemDbError,
  });
  t.is(error.code, 'unavailable');
  t.is(error.outcome, 'not-applied');
  t.regex(error.message, /127\.0\.0\.1:1.*ECONNREFUSED/);
});

test('a URL or option that cannot be is refused before anything is dialled', async (t) => {
  const cluster = await startServers(t, 1);
  const url = urlOf(cluster);
  const attempts: (() => Promise<unknown>)[] = [
    () => connect('redis://localhost'),
    () => connect(`${url}?consistency=most`),
    () => connect(url, { connectionsPerNode: 0 }),
    () => connect(url, { maxInFlight: 1.5 }),
    () => connect({ seeds: [], key: FAKE_KEY }),
    () => connect({ seeds: ['a:1'], key: { id: 'app', secret: new Uint8Array(31) } }),
  ];
  for (const attempt of attempts) {
    const error = await t.throwsAsync(attempt, { instanceOf: MemDbError });
    t.is(error.outcome, 'not-applied');
  }
  t.is(cluster.servers[0]?.connectionsTaken, 0);
});

test('options beside the URL win over what the URL says', async (t) => {
  const cluster = await startServers(t, 1);
  await using db = await connect(`${urlOf(cluster)}?timeout=1234&consistency=all`, { consistency: 'one' });
  await db.set('a', '1');
  const request = cluster.requests[0];
  t.is(request?.level, 1);
  t.is(request?.deadlineMs, 1234);
});

test('over TLS the same', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'memdb-tls-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const output = ['-keyout', keyFile, '-out', certFile, '-days', '2'];
  try {
    await promisify(execFile)('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...output, ...subject]);
  } catch (error) {
    t.log(`skipped: no certificate could be made: ${error instanceof Error ? error.message : error}`);
    t.pass();
    return;
  }
  const cert = await readFile(certFile, 'utf8');
  const cluster = await startServers(t, 1);
  const server = cluster.servers[0] as FakeServer;
  const plain = server.address;
  const terminator = createTlsServer({ key: await readFile(keyFile), cert }, (secure) => {
    const onward = connectSocket(plain.port, plain.host);
    secure.pipe(onward).pipe(secure);
    for (const socket of [secure, onward]) socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => terminator.listen(0, '127.0.0.1', resolve));
  t.teardown(() => terminator.close());
  server.address = { host: '127.0.0.1', port: (terminator.address() as AddressInfo).port };
  const db = await connect(urlOf(cluster), { tls: { ca: cert }, timeoutMs: 20_000 });
  await exercise(t, db);
  await db.close();
  const error = await t.throwsAsync(() => connect(`${urlOf(cluster)}?tls=true`, { connectTimeoutMs: 500 }), {
    instanceOf: MemDbError,
  });
  t.regex(error.message, /self-signed/);
});
