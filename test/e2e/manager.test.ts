import { connect } from '@memdb/client';
import test from 'ava';
import { startDev, stopDev } from './dev-process.js';
import { type Document, ManagerApi } from './manager-api.js';
import { isAlive, runMemDb, startMemDb, temporaryDirectory } from './memdb-process.js';

interface NodeDocument {
  readonly number: number;
  readonly state: string;
  readonly reason?: string;
  readonly sinceMs: number;
  readonly pid?: number;
}

test.serial('a killed node is gone, listed as dead with since when and why, and comes back', async (t) => {
  const directory = temporaryDirectory(t);
  const dev = await startDev(t, directory);
  const api = ManagerApi.of(dev.cluster());
  const all = (state: string) => (nodes: NodeDocument[]) => nodes.every((node) => node.state === state);
  await api.until<{ nodes: NodeDocument[] }>('/nodes', ({ nodes }) => nodes.length === 3 && all('up')(nodes));
  const place = dev.cluster().nodes.findIndex(({ number }) => number === 3);
  const pid = dev.cluster().nodes[place]?.pid ?? 0;

  const killed = await api.call('POST', '/nodes/3/kill', undefined, { 'Idempotency-Key': 'once' });
  t.is(killed.status, 200);
  await dev.program.printed(/died \(SIGKILL\)/);
  t.false(isAlive(pid));
  t.deepEqual(killed.body.noticedBy, [1, 2]);
  t.true(killed.body.endedAfterMs <= killed.body.noticedAfterMs);

  const dead = await api.until<NodeDocument>('/nodes/3', ({ state }) => state === 'dead');
  t.regex(dead.reason ?? '', /Nodes 1 and 2 do not hear from it/);
  t.true(dead.sinceMs >= killed.body.requestedAtMs);
  const cluster = await api.until('/cluster', ({ health }) => health === 'degraded');
  t.is(cluster.nodes.up, 2);

  const node = startMemDb(t, ['dev', 'start', String(place + 1)], { directory });
  await node.printed(/serves again/);
  const back = await api.until<NodeDocument>('/nodes/3', ({ state }) => state === 'up');
  t.not(back.pid, pid);
  t.deepEqual((await api.call('POST', '/nodes/3/kill', undefined, { 'Idempotency-Key': 'once' })).body, killed.body);
  t.true(isAlive(back.pid ?? 0), 'a repeat with the same key kills nobody');
  const { events } = (await api.call('GET', '/events')).body;
  const kinds = events.map(({ kind }: { kind: string }) => kind);
  for (const kind of ['action', 'node-dead']) t.true(kinds.includes(kind), kind);
  t.true(kinds.includes('node-restarted') || kinds.includes('node-up'));
  t.is(await stopDev(dev), 0);
});

test.serial('the manager goes on while any node is up, is told who may ask, and explains keys', async (t) => {
  const directory = temporaryDirectory(t);
  const dev = await startDev(t, directory);
  const { adminUrl, clientUrl } = dev.cluster();
  const nobody = new ManagerApi(dev.cluster().manager?.url ?? '', '');
  for (const path of ['/nodes', '/cluster', '/ring', '/keys/k', '/nothing']) {
    const refused = await nobody.call('GET', path);
    t.deepEqual([refused.status, refused.body.code], [401, 'not-authenticated'], path);
    t.is(refused.contentType, 'application/problem+json');
  }
  t.is((await nobody.call('POST', '/login', { adminKey: clientUrl })).status, 401);
  const login = await nobody.call('POST', '/login', { adminKey: adminUrl });
  t.is(login.status, 200);
  const api = new ManagerApi(nobody.url, login.body.token);
  await api.until('/cluster', ({ health }) => health === 'ok');

  t.is((await api.call('PUT', '/keys/a%2Fb', { value: 'v1' })).status, 200);
  t.is((await runMemDb(t, ['get', 'a/b'], { directory })).stdout.toString(), 'v1');
  const explained = (await api.call('GET', '/keys/a%2Fb')).body;
  t.deepEqual([explained.value, explained.agreed, explained.replicas.length], ['v1', true, 3]);
  t.regex(explained.why, /every replica that answered \(3\) holds it/);

  for (const number of [1, 2]) t.is((await api.call('POST', `/nodes/${number}/kill?graceful=true`)).status, 200);
  const cluster = await api.until('/cluster', ({ health }) => health === 'critical');
  t.deepEqual([cluster.nodes.up, cluster.unavailable], [1, 256]);
  const lonely = (await api.call('GET', '/keys/a%2Fb')).body;
  t.deepEqual(lonely.replicas.map(({ holds }: { holds: string }) => holds).sort(), [
    'newest',
    'no-answer',
    'no-answer',
  ]);
  const failed = await api.call('PUT', '/keys/a%2Fb', { value: 'v2' });
  t.deepEqual([failed.status, failed.body.code, failed.body.outcome], [503, 'unavailable', 'not-applied']);

  t.is((await api.call('POST', '/nodes/9/kill')).body.code, 'no-such-node');
  t.is((await api.call('PUT', '/keys/k', { value: 'a', valueBase64: 'YQ==' })).body.code, 'bad-request');
  t.is((await api.call('POST', '/login', { adminKey: 'x'.repeat(20_000) })).body.code, 'body-too-large');
  const limited: number[] = [];
  for (let attempt = 0; attempt < 8; attempt++) {
    limited.push((await nobody.call('POST', '/login', { adminKey: 'wrong' })).status);
  }
  t.is(limited.at(-1), 429);
  t.is(await stopDev(dev), 0);
});

test.serial('changes are previewed and asked for, and the node that leaves exits; conflicts are listed', async (t) => {
  const directory = temporaryDirectory(t);
  const dev = await startDev(t, directory);
  const api = ManagerApi.of(dev.cluster());
  await api.until('/cluster', ({ health }) => health === 'ok');
  // Two programs that were there before the key was, and have not heard of it since.
  const url = dev.cluster().clientUrl;
  const [first, second] = [await connect(url), await connect(url)];
  await first.set('k', 'first');
  await second.set('k', 'second');
  await Promise.all([first.close(), second.close()]);
  const { conflicts } = (await api.call('GET', '/conflicts')).body;
  t.is(conflicts.length, 1);
  t.deepEqual([conflicts[0].key, conflicts[0].winner.value, conflicts[0].loser.value], ['k', 'second', 'first']);
  const listed = JSON.parse((await runMemDb(t, ['conflicts', '--json'], { directory })).stdout.toString());
  t.is(listed.conflicts[0].loser.value, 'first');
  const explained = (await runMemDb(t, ['explain', 'k'], { directory })).stdout.toString();
  t.is(explained.match(/newest: .*second/g)?.length, 3);
  t.regex(explained, /every replica that answered \(3\) holds it/);

  const preview = (await api.call('GET', '/topology/preview?kind=leave&node=3')).body;
  t.deepEqual([preview.replicas, preview.withoutQuorum.count], [2, 0]);
  t.is((await api.call('GET', '/topology/preview?kind=leave')).body.code, 'bad-request');
  t.is((await api.call('POST', '/topology/abort')).body.code, 'bad-request', 'nothing is pending');
  t.is((await api.call('POST', '/nodes/3/leave')).status, 200);
  const cluster = await api.until('/cluster', ({ nodes, pending }) => nodes.total === 2 && pending === null);
  t.is(cluster.health, 'ok');
  t.is((await runMemDb(t, ['get', 'k'], { directory })).stdout.toString(), 'second');
  t.is(await stopDev(dev), 0);
});

test.serial(
  'the live feed tells what happens, goes on after a cursor, and lets nobody in without a token',
  async (t) => {
    const directory = temporaryDirectory(t);
    const dev = await startDev(t, directory);
    const api = ManagerApi.of(dev.cluster());
    await t.throwsAsync(new ManagerApi(api.url, 'wrong').watch(), { message: /401/ });
    const feed = await api.watch();
    t.teardown(() => feed.close());
    const hello = await feed.next(({ type }) => type === 'hello');
    await feed.next(({ type, nodes }) => type === 'state' && nodes.length === 3);
    await api.call('DELETE', '/keys/unknown');
    const told = await feed.next(({ type }) => type === 'event');
    t.regex(told.event.message, /asked for delete/);
    const later = await api.watch(hello.cursor);
    t.teardown(() => later.close());
    const resumed = await later.next(({ type }) => type === 'hello');
    t.true(resumed.complete);
    t.deepEqual(resumed.events.at(-1), told.event);
    const lost = await api.watch('another-run-1');
    t.teardown(() => lost.close());
    t.false((await lost.next(({ type }) => type === 'hello')).complete);
    t.is(await stopDev(dev), 0);
  },
);

test.serial('the OpenAPI document describes every path, and probes and metrics are open', async (t) => {
  const directory = temporaryDirectory(t);
  const dev = await startDev(t, directory);
  const url = dev.cluster().manager?.url ?? '';
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as Document;
  t.is(document.openapi, '3.1.0');
  for (const path of ['/login', '/cluster', '/nodes', '/nodes/{id}', '/nodes/{id}/kill', '/ring', '/keys/{key}']) {
    t.truthy(document.paths[`/api/v1${path}`], path);
  }
  t.is((await fetch(`${url}/livez`)).status, 200);
  await ManagerApi.of(dev.cluster()).until('/cluster', ({ health }) => health === 'ok');
  t.is((await fetch(`${url}/readyz`)).status, 200);
  t.regex(await (await fetch(`${url}/metrics`)).text(), /memdb_manager_nodes_serving 3/);
  const page = await fetch(url);
  t.is(page.headers.get('access-control-allow-origin'), null);
  t.regex(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  t.is(await stopDev(dev), 0);
});
