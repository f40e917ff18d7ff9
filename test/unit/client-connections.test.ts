import type { ClientEvents } from '@memdb/client';
import { Opcode } from '@memdb/protocol';
import test from 'ava';
import { FakeWorld } from '../harness/fake-world.js';

test('one seed that answers is enough: the client connects to every node of the topology', async (t) => {
  const fake = new FakeWorld(5);
  const db = await fake.connect({ seeds: ['nowhere:1', 'n4:10000'] });
  t.is(db.stats.connections, 5);
  t.deepEqual(
    fake.cluster.servers.map((server) => server.sessions.size),
    [1, 1, 1, 1, 1],
  );
});

test('connectionsPerNode connections go to each node, and reads and writes use them', async (t) => {
  const fake = new FakeWorld(2);
  const db = await fake.connect({ connectionsPerNode: 3 });
  t.is(db.stats.connections, 6);
  await fake.settle(Promise.all(Array.from({ length: 100 }, (_, index) => db.set(`key:${index}`, 'x'))));
  t.is(new Set(fake.cluster.requests.map((request) => request.session)).size, 6);
});

test('a seed that accepts and says nothing does not hold up the others', async (t) => {
  const fake = new FakeWorld(3);
  fake.server(1).isMute = true;
  const startMs = fake.world.nowMs;
  await fake.connect({ seeds: ['n1:10000', 'n2:10000'] });
  t.true(fake.world.nowMs - startMs < 1000, `${fake.world.nowMs - startMs} ms`);
});

test('nobody answers: unavailable after connectTimeoutMs, naming the seeds and the cause', async (t) => {
  const fake = new FakeWorld(0);
  const db = fake.create({ seeds: ['gone:1', 'lost:2'], connectTimeoutMs: 700 });
  const write = db.set('a', '1');
  const error = await fake.failure(db.ready());
  t.is(error.code, 'unavailable');
  t.is(error.outcome, 'not-applied');
  t.regex(error.message, /gone:1, lost:2 within 700 ms/);
  t.is((await fake.failure(write)).outcome, 'not-applied');
  await fake.settle(db.close());
});

test('a key that every seed refuses is reported at once', async (t) => {
  const fake = new FakeWorld();
  for (const server of fake.cluster.servers) server.refusesKeys = true;
  const startMs = fake.world.nowMs;
  const error = await fake.failure(fake.create().ready());
  t.is(error.code, 'authentication-failed');
  t.true(fake.world.nowMs - startMs < 1000);
});

test('a cluster that is not founded yet is asked until it is', async (t) => {
  const fake = new FakeWorld();
  let isFounded = false;
  for (const server of fake.cluster.servers) {
    server.script = (request) => {
      if (request.opcode !== Opcode.topology || isFounded) return undefined;
      request.session.sendError(request, 'not-founded');
      return 'handled';
    };
  }
  fake.world.at(1500, () => {
    isFounded = true;
  });
  const db = await fake.connect();
  t.true(fake.world.nowMs >= 1500 && fake.world.nowMs < 3000);
  await fake.settle(db.set('a', '1'));
});

test('and when it never is, the error says so', async (t) => {
  const fake = new FakeWorld();
  for (const server of fake.cluster.servers) {
    server.script = (request) => {
      request.session.sendError(request, 'not-founded');
      return 'handled';
    };
  }
  const error = await fake.failure(fake.create({ connectTimeoutMs: 1000 }).ready());
  t.is(error.code, 'unavailable');
  t.is((error.cause as { code?: string }).code, 'not-founded');
});

test('a connection that breaks is made again, and the node is used again', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const events: string[] = [];
  db.on('node', ({ node, state }) => events.push(`${node} ${state}`));
  for (const session of fake.server(2).sessions) session.connection.destroy();
  await fake.pass(500);
  t.deepEqual(events, ['2 down', '2 up']);
  t.is(db.stats.connections, 3);
  t.is(db.stats.reconnects, 1);
  t.is(db.stats.connectionsLost, 1);
});

test('dials to a node that stays away become rare, and it is found when it returns', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  fake.world.crash('n2');
  await fake.pass(20_000);
  t.is(db.stats.connections, 2);
  const ports = fake.world.createPorts('n2');
  const server = fake.server(2);
  Object.assign(server, { ports });
  server.connectionsTaken = 0;
  server.listen();
  await fake.pass(2500);
  t.is(db.stats.connections, 3);
  t.is(server.connectionsTaken, 1);
});

test('a node that restarts at another address is found there', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  fake.world.crash('n2');
  Object.assign(fake.server(2), { ports: fake.world.createPorts('n2') });
  fake.server(2).listen({ host: 'n2', port: 20_000 });
  await fake.pass(5000);
  t.is(db.stats.connections, 3);
});

test('when every node has moved, the seeds are asked again', async (t) => {
  const fake = new FakeWorld(2);
  const db = await fake.connect({ seeds: ['n1:10000', 'n2:10000', 'entry:5'] });
  await fake.settle(db.set('a', '1'));
  for (const server of fake.cluster.servers) {
    fake.world.crash(`n${server.number}`);
    Object.assign(server, { ports: fake.world.createPorts(`n${server.number}`) });
    server.listen({ host: `n${server.number}`, port: 20_000 });
  }
  fake.server(1).listen({ host: 'entry', port: 5 });
  fake.server(1).address = { host: 'n1', port: 20_000 };
  t.is(await fake.settle(db.get('a', { timeoutMs: 10_000 })), '1');
  await fake.pass(3000);
  t.is(db.stats.connections, 2);
});

test('a newer topology is followed: new nodes are connected and used, removed ones are left', async (t) => {
  const fake = new FakeWorld(2);
  const db = await fake.connect();
  const epochs: number[] = [];
  db.on('topology', ({ epoch, nodes }) => epochs.push(epoch, nodes.length));
  fake.addServer(3);
  fake.addServer(4);
  const gone = fake.cluster.servers.shift();
  fake.cluster.epoch = 2;
  await fake.settle(db.set('a', '1'));
  await fake.pass(500);
  t.deepEqual(epochs, [2, 3]);
  t.is(db.stats.connections, 3);
  t.is(gone?.sessions.size, 0);
  await fake.settle(Promise.all(Array.from({ length: 40 }, (_, index) => db.set(`key:${index}`, 'x'))));
  t.deepEqual(new Set(fake.cluster.requests.map(({ server }) => server.number)), new Set([2, 3, 4]));
  t.is(fake.cluster.requests.at(-1)?.epoch, 2);
});

test('bytes that are no reply close the connection, and the client goes on', async (t) => {
  const garbage: Uint8Array[] = [
    new Uint8Array(64).fill(0xff),
    new Uint8Array(64),
    new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n\r\n'.padEnd(60)),
  ];
  for (const bytes of garbage) {
    const fake = new FakeWorld();
    const db = await fake.connect();
    let sent = 0;
    for (const server of fake.cluster.servers) {
      server.script = (request) => {
        if (request.opcode !== Opcode.get || sent++ > 0) return undefined;
        request.session.sendRaw(bytes);
        return 'handled';
      };
    }
    t.is(await fake.settle(db.get('a')), undefined);
    t.is(db.stats.connectionsLost, 1);
    await fake.pass(1000);
    t.is(db.stats.connections, 3);
  }
});

test('a reply to nothing, twice, or of another kind closes the connection', async (t) => {
  const fake = new FakeWorld(1);
  const db = await fake.connect();
  const server = fake.server(1);
  let misdeeds = 0;
  const misbehave = async (misdeed: typeof server.script): Promise<void> => {
    server.script = (request) => (request.key === 'a' && misdeeds++ === 0 ? misdeed(request) : undefined);
    misdeeds = 0;
    await fake.settle(db.get('a', { timeoutMs: 10_000 }));
    await fake.pass(1500);
  };
  await misbehave((request) => {
    server.serve({ ...request, correlation: 4242 });
    return 'handled';
  });
  t.is(db.stats.connectionsLost, 1);
  await misbehave((request) => {
    server.serve(request);
    server.serve(request);
    return 'handled';
  });
  t.is(db.stats.connectionsLost, 2);
  await misbehave((request) => {
    server.serve({ ...request, opcode: Opcode.contains });
    return 'handled';
  });
  t.is(db.stats.connectionsLost, 3);
  await fake.settle(db.set('b', '1'));
});

test('a connection whose other end is gone without a word is given up', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  fake.world.network.behaviour.stallTimeoutMsMin = 600_000;
  fake.world.network.behaviour.stallTimeoutMsMax = 600_000;
  fake.world.crash('n3', { machineDown: true });
  await fake.pass(10_000);
  t.is(db.stats.connections, 2);
  await fake.settle(db.set('a', '1'));
});

test('idle connections stay open', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  await fake.pass(60_000);
  t.is(db.stats.connectionsLost, 0);
  t.is(db.stats.connections, 3);
});

test('a key that is revoked later is an error event, and without a listener nothing happens', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const quiet = await fake.connect();
  const errors: ClientEvents['error'][] = [];
  const listener = (error: ClientEvents['error']): void => {
    errors.push(error);
  };
  db.on('error', listener);
  for (const server of fake.cluster.servers) {
    server.refusesKeys = true;
    for (const session of server.sessions) session.connection.destroy();
  }
  await fake.pass(1000);
  t.is(errors[0]?.code, 'authentication-failed');
  const error = await fake.failure(db.get('a', { timeoutMs: 100 }));
  t.is(error.outcome, 'not-applied');
  db.off('error', listener);
  const count = errors.length;
  await fake.pass(3000);
  t.is(errors.length, count);
  t.is(quiet.stats.connections, 0);
});

test('a listener that throws does not disturb the client', async (t) => {
  const fake = new FakeWorld();
  const db = fake.create();
  const thrown: unknown[] = [];
  const original = globalThis.queueMicrotask;
  globalThis.queueMicrotask = (callback): void =>
    original(() => {
      try {
        callback();
      } catch (error) {
        thrown.push(error);
      }
    });
  t.teardown(() => {
    globalThis.queueMicrotask = original;
  });
  db.on('topology', () => {
    throw new Error('a listener’s own fault');
  });
  await fake.settle(db.ready());
  await fake.settle(db.set('a', '1'));
  t.is(thrown.length, 1);
});
