import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { FRAME_HEADER_BYTES, Opcode, OutgoingBuffer, Role, writeFrameHeader, writeKeyRequest } from '@memdb/protocol';
import test, { type ExecutionContext } from 'ava';
import { SystemRandom } from '../../src/platform/system-random.js';
import { TcpTransport } from '../../src/platform/tcp-transport.js';
import { BareClient } from '../harness/bare-client.js';
import { RealNode, until } from '../harness/real-node.js';
import { TEST_KEYS } from '../harness/test-keys.js';

async function started(t: ExecutionContext, limits?: { connectionsMax?: number }): Promise<RealNode> {
  const node = await RealNode.start(limits);
  t.teardown(() => node.stop());
  return node;
}

async function raw(t: ExecutionContext, node: RealNode): Promise<Socket> {
  const socket = connect(node.node.address);
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function stillServes(t: ExecutionContext, node: RealNode): Promise<void> {
  const client = await node.connect();
  t.is((await node.set(client, 'alive', 'yes')).error, undefined);
  t.is((await node.get(client, 'alive')).value, 'yes');
  client.close();
}

/** Reads to the end: the server closed the connection. */
async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await once(socket, 'close');
}

// Serial: two of these look at the memory of the process.
test.serial('garbage is answered by closing the connection, with a reason in the log', async (t) => {
  const node = await started(t);
  for (const garbage of ['GET / HTTP/1.1\r\n\r\n', '\0\0\0\0\0\0\0\0', '*1\r\n$4\r\nPING\r\n', 'x'.repeat(100_000)]) {
    const socket = await raw(t, node);
    socket.write(garbage);
    await closed(socket);
  }
  t.true(node.log.filter((line) => line.event === 'session-malformed').length >= 4);
  await stillServes(t, node);
});

test.serial('a frame that announces 4 GiB is refused before anything is allocated for it', async (t) => {
  const node = await started(t);
  const socket = await raw(t, node);
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  writeFrameHeader(view, 0, 0, Opcode.hello, 0, 0, 0, 0, 0);
  view.setUint32(0, 0xffffffff, true);
  socket.write(header);
  await closed(socket);
  await stillServes(t, node);
});

test.serial('one half-sent frame stalls nobody else', async (t) => {
  const node = await started(t);
  const half = await node.connect();
  t.is((await node.set(half, 'k', 'v')).error, undefined);
  const out = new OutgoingBuffer();
  writeKeyRequest(out, Opcode.get, 77, 2000, 0, 0, 2, 'k');
  half.sendRaw(out.bytes.slice(0, out.end - 1));
  for (let round = 0; round < 50; round++) await stillServes(t, node);
  // The rest arrives later, and is answered.
  const answered = new Promise((resolve) => half.expectRaw(77, resolve));
  half.sendRaw(out.bytes.slice(out.end - 1, out.end));
  t.truthy(await answered);
});

test.serial('a wrong secret, an unknown key id and a key of another role are refused alike', async (t) => {
  const node = await started(t);
  const ports = { random: new SystemRandom(), transport: new TcpTransport() };
  const wrong = { id: 'app', secret: new Uint8Array(32).fill(9) };
  const cases = [
    new BareClient(ports, node.node.address, wrong),
    new BareClient(ports, node.node.address, { id: 'nobody', secret: wrong.secret }),
    new BareClient(ports, node.node.address, TEST_KEYS.client, Role.node),
    new BareClient(ports, node.node.address, TEST_KEYS.client, Role.admin),
  ];
  for (const client of cases) {
    await until(() => client.closed);
    t.false(client.ready);
    t.is(client.refused?.code, 'authentication-failed');
  }
  await stillServes(t, node);
});

test.serial('a client may not send what only nodes send', async (t) => {
  const node = await started(t);
  const client = await node.connect();
  const refused = await new Promise<{ error?: { code: string } }>((resolve) => client.ask(Opcode.repair, 'k', resolve));
  t.is(refused.error?.code, 'not-permitted');
});

test.serial('a recorded handshake, played again, opens nothing', async (t) => {
  const node = await started(t);
  const sent: Buffer[] = [];
  const proxy = createServer((incoming) => {
    const outgoing = connect(node.node.address);
    incoming.on('data', (chunk) => {
      sent.push(chunk);
      outgoing.write(chunk);
    });
    outgoing.on('data', (chunk) => incoming.write(chunk));
    incoming.on('error', () => {});
    outgoing.on('error', () => {});
    incoming.on('close', () => outgoing.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.teardown(() => proxy.close());
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const ports = { random: new SystemRandom(), transport: new TcpTransport() };
  const client = new BareClient(ports, { host: '127.0.0.1', port: address.port });
  await until(() => client.ready);
  client.close();
  const before = node.log.length;
  const replay = await raw(t, node);
  for (const chunk of sent) replay.write(chunk);
  await closed(replay);
  t.true(node.log.slice(before).some((line) => line.event === 'session-refused'));
  await stillServes(t, node);
});

test.serial(
  'thousands of idle connections hold little memory, and those that never authenticate are closed',
  async (t) => {
    const node = await started(t);
    const before = process.memoryUsage().rss;
    const sockets = await Promise.all(Array.from({ length: 2000 }, () => raw(t, node)));
    await until(() => (node.node.server?.sessions.size ?? 0) >= 2000);
    await stillServes(t, node);
    // Both ends live in this process: 32 KiB for the pair is still far from a buffer for each.
    t.true(process.memoryUsage().rss - before < 2000 * 32 * 1024);
    await Promise.all(sockets.map(closed));
    await stillServes(t, node);
  },
);

test.serial('beyond limits.max_connections the next connection is closed, and those that are open go on', async (t) => {
  const node = await started(t, { connectionsMax: 3 });
  const client = await node.connect();
  await Promise.all([raw(t, node), raw(t, node)]);
  await until(() => node.node.server?.sessions.size === 3);
  await closed(await raw(t, node));
  t.is((await node.set(client, 'k', 'v')).error, undefined);
});

test.serial('a client that never reads is not read from any more, and costs bounded memory', async (t) => {
  const node = await started(t);
  const writer = await node.connect();
  t.is((await node.set(writer, 'big', 'x'.repeat(500_000))).error, undefined);
  const deaf = await node.connect();
  deaf.pause();
  const before = process.memoryUsage().rss;
  for (let index = 0; index < 8000; index++) deaf.get('big', 2, () => {});
  // 8,000 replies would be 4 GB. Others are served meanwhile.
  for (let round = 0; round < 20; round++) await stillServes(t, node);
  t.true(process.memoryUsage().rss - before < 400 * 1024 * 1024);
});
