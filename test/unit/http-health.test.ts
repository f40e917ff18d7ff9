import { connect } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type HealthCallbacks, HttpHealth } from '../../src/platform/http-health.js';

async function start(
  t: ExecutionContext,
  callbacks: Partial<HealthCallbacks> = {},
): Promise<{ url: string; port: number }> {
  const health = new HttpHealth({
    live: () => undefined,
    ready: () => undefined,
    metrics: async () => 'memdb_x 1\n',
    ...callbacks,
  });
  const bound = await health.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => health.close());
  return { url: `http://127.0.0.1:${bound.port}`, port: bound.port };
}

test('a node that lives but is not ready says why', async (t) => {
  let reason: string | undefined = 'reading the log: 40 %';
  const { url } = await start(t, { ready: () => reason });
  const before = await fetch(`${url}/readyz`);
  t.is(before.status, 503);
  t.is(await before.text(), 'reading the log: 40 %\n');
  t.is((await fetch(`${url}/livez`)).status, 200);
  reason = undefined;
  t.is((await fetch(`${url}/readyz?verbose`)).status, 200);
});

test('metrics are Prometheus text', async (t) => {
  const { url } = await start(t);
  const response = await fetch(`${url}/metrics`);
  t.is(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  t.is(await response.text(), 'memdb_x 1\n');
});

test('metrics that cannot be collected are an error of that request alone', async (t) => {
  const { url } = await start(t, { metrics: () => Promise.reject(new Error('broken gauge')) });
  t.is((await fetch(`${url}/metrics`)).status, 500);
  t.is((await fetch(`${url}/livez`)).status, 200);
});

test('HEAD answers without a body; other methods and paths are refused in plain text', async (t) => {
  const { url } = await start(t);
  const head = await fetch(`${url}/livez`, { method: 'HEAD' });
  t.is(head.status, 200);
  t.is(await head.text(), '');
  const post = await fetch(`${url}/livez`, { method: 'POST', body: 'x' });
  t.is(post.status, 405);
  t.is(post.headers.get('allow'), 'GET, HEAD');
  const missing = await fetch(`${url}/`);
  t.is(missing.status, 404);
  t.true((await missing.text()).includes('/readyz'));
});

test('headers beyond the limit are refused', async (t) => {
  const { url } = await start(t);
  const response = await fetch(`${url}/livez`, { headers: { padding: 'x'.repeat(20_000) } });
  t.is(response.status, 431);
});

test('garbage closes its connection and no other', async (t) => {
  const { url, port } = await start(t);
  const reply = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('\0\x01garbage\r\n\r\n'));
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
  t.true(reply.startsWith('HTTP/1.1 400'));
  t.is((await fetch(`${url}/livez`)).status, 200);
});

test('an address that is taken is an error that can be caught', async (t) => {
  const { port } = await start(t);
  const second = new HttpHealth({ live: () => undefined, ready: () => undefined, metrics: async () => '' });
  await t.throwsAsync(second.listen({ host: '127.0.0.1', port }), { code: 'EADDRINUSE' });
});
