import test from 'ava';
import type { Address } from '../../src/ports/transport.js';
import { CONTRACT_WORLDS, type ContractWorld } from './contract-world.js';
import { connectPair, listen, pattern, RecordingEnd } from './transport-ends.js';

const MIB = 1024 * 1024;

for (const [name, make] of CONTRACT_WORLDS) {
  const promise = (title: string, body: (world: ContractWorld, t: import('ava').ExecutionContext) => Promise<void>) => {
    test.serial(`${name}: ${title}`, async (t) => {
      const world = make();
      t.teardown(() => world.dispose());
      await body(world, t);
    });
  };

  promise('bytes arrive whole and in order, however they were written', async (world, t) => {
    const { client, server, listener } = await connectPair(world);
    const sent = pattern(2 * MIB);
    // A buffer may be used again only when write says so: one per write makes no difference to what must arrive.
    let at = 0;
    for (let size = 1; at < sent.length; size = (size * 3 + 1) % 70_001) {
      const end = Math.min(sent.length, at + size);
      client.connection?.write(sent.slice(at, end), 0, end - at);
      at = end;
    }
    await world.until(() => server.receivedBytes === sent.length);
    t.deepEqual(Buffer.compare(server.received(), sent), 0);
    client.connection?.destroy();
    await world.until(() => server.closes === 1 && client.closes === 1);
    listener.close();
  });

  promise('both directions flow at the same time', async (world, t) => {
    const { client, server, listener } = await connectPair(world);
    const request = pattern(300_000, 2);
    server.onBytes = (bytes) => server.send(bytes);
    client.send(request);
    await world.until(() => client.receivedBytes === request.length);
    t.is(Buffer.compare(client.received(), request), 0);
    client.connection?.destroy();
    await world.until(() => server.closes === 1);
    listener.close();
  });

  promise('a buffer that write took may be overwritten at once', async (world, t) => {
    const { client, server, listener } = await connectPair(world);
    const buffer = new Uint8Array(64);
    let expected = 0;
    for (let round = 0; round < 50; round++) {
      buffer.fill(round);
      expected += buffer.length;
      if (client.send(buffer)) continue;
      // Not taken: this buffer has to be left alone until it has left.
      const drains = client.drains;
      await world.until(() => client.drains > drains);
    }
    await world.until(() => server.receivedBytes === expected);
    t.true(server.received().every((byte, index) => byte === Math.floor(index / 64)));
    client.connection?.destroy();
    await world.until(() => server.closes === 1);
    listener.close();
  });

  promise(
    'a receiver that does not read makes write keep the bytes; onDrain tells when they have left',
    async (world, t) => {
      const { client, server, listener } = await connectPair(world);
      server.connection?.pause();
      const sent = pattern(16 * MIB);
      t.false(client.send(sent));
      t.true((client.connection?.retainedBytes() ?? 0) > 0);
      t.is(client.drains, 0);
      server.connection?.resume();
      await world.until(() => client.drains === 1);
      t.is(client.connection?.retainedBytes(), 0);
      await world.until(() => server.receivedBytes === sent.length);
      t.is(Buffer.compare(server.received(), sent), 0);
      client.connection?.destroy();
      await world.until(() => server.closes === 1);
      listener.close();
    },
  );

  promise('nothing arrives while paused, everything after resume', async (world, t) => {
    const { client, server, listener } = await connectPair(world);
    server.connection?.pause();
    client.send(pattern(1000));
    // The reply on a second connection shows that time has passed.
    const other = new RecordingEnd();
    other.connection = world.client.connect({ host: '127.0.0.1', port: 1 }, other);
    await world.until(() => other.closes === 1);
    t.is(server.receivedBytes, 0);
    server.connection?.resume();
    await world.until(() => server.receivedBytes === 1000);
    client.connection?.destroy();
    await world.until(() => server.closes === 1);
    listener.close();
    t.pass();
  });

  promise('a handler that pauses within onData gets no more until it resumes', async (world, t) => {
    const { client, server, listener } = await connectPair(world);
    server.onBytes = () => server.connection?.pause();
    const sent = pattern(3 * MIB);
    client.send(sent);
    let deliveries = 0;
    while (server.receivedBytes < sent.length) {
      await world.until(() => server.chunks.length > deliveries);
      t.is(server.chunks.length, deliveries + 1);
      deliveries = server.chunks.length;
      server.connection?.resume();
    }
    t.is(Buffer.compare(server.received(), sent), 0);
    client.connection?.destroy();
    await world.until(() => server.closes === 1);
    listener.close();
  });

  promise('end sends all that was written, then both sides close without an error', async (world, t) => {
    const { client, server, listener } = await connectPair(world);
    const sent = pattern(5 * MIB);
    client.send(sent);
    client.connection?.end();
    t.true(client.send(pattern(10)), 'writing after the end does nothing');
    await world.until(() => client.closes === 1 && server.closes === 1);
    t.is(server.receivedBytes, sent.length);
    t.is(client.error, undefined);
    t.is(server.error, undefined);
    listener.close();
  });

  promise('what is still written to a peer that ended does nothing, and the close is no error', async (world, t) => {
    const { client, server, listener } = await connectPair(world);
    client.connection?.end();
    const onClose = server.onClose.bind(server);
    server.onClose = (error) => {
      t.true(server.send(pattern(10)));
      onClose(error);
    };
    await world.until(() => {
      server.connection?.write(pattern(1), 0, 1);
      return server.closes === 1 && client.closes === 1;
    });
    t.is(server.error, undefined);
    t.is(client.error, undefined);
    t.is(client.receivedBytes, 0);
    listener.close();
  });

  promise(
    'a peer that ended is sent what had been written, and not waited for when it does not read',
    async (world, t) => {
      const { client, server, listener } = await connectPair(world);
      server.send(pattern(32 * MIB));
      client.connection?.pause();
      client.send(pattern(1));
      await world.until(() => server.receivedBytes === 1);
      client.connection?.end();
      await world.until(() => client.closes === 1 && server.closes === 1);
      t.is(server.drains, 0);
      listener.close();
    },
  );

  promise('last words reach a peer that is still sending', async (world, t) => {
    const { client, server, listener } = await connectPair(world);
    server.onBytes = () => {
      server.onBytes = undefined;
      server.send(pattern(100));
      server.connection?.end();
    };
    client.send(pattern(4 * MIB));
    await world.until(() => client.closes === 1 && server.closes === 1);
    t.is(Buffer.compare(client.received(), pattern(100)), 0);
    listener.close();
  });

  promise('an ended connection closes although its peer never reads', async (world, t) => {
    const { client, server, listener } = await connectPair(world);
    client.connection?.pause();
    server.send(pattern(32 * MIB));
    server.connection?.end();
    await world.until(() => server.closes === 1);
    t.is(server.connection?.retainedBytes(), 0);
    client.connection?.destroy();
    await world.until(() => client.closes === 1);
    listener.close();
  });

  promise('destroy drops what is retained and closes once, in a later turn', async (world, t) => {
    const { client, server, listener } = await connectPair(world);
    server.connection?.pause();
    client.send(pattern(16 * MIB));
    client.connection?.destroy();
    client.connection?.destroy();
    t.is(client.closes, 0);
    t.true(client.send(pattern(10)), 'writing after the close does nothing');
    t.is(client.connection?.retainedBytes(), 0);
    await world.until(() => client.closes === 1);
    server.connection?.resume();
    await world.until(() => server.closes === 1);
    t.true(server.receivedBytes < 16 * MIB);
    t.is(client.drains, 0);
    client.connection?.end();
    client.connection?.resume();
    t.is(client.closes, 1);
    t.is(client.events.at(-1), 'close');
    listener.close();
  });

  promise('a handler may destroy its connection within onData', async (world, t) => {
    const { client, server, listener } = await connectPair(world);
    server.onBytes = () => server.connection?.destroy();
    client.send(pattern(8 * MIB));
    await world.until(() => server.closes === 1 && client.closes === 1);
    t.is(server.chunks.length, 1);
    listener.close();
  });

  promise('a dial that nobody answers closes with an error and never opens', async (world, t) => {
    const { listener, address } = await listen(world, () => new RecordingEnd());
    let closed = false;
    listener.close(() => {
      closed = true;
    });
    await world.until(() => closed);
    const client = new RecordingEnd();
    client.connection = world.client.connect(address, client);
    client.send(pattern(10));
    t.is(client.closes, 0);
    await world.until(() => client.closes === 1);
    t.true(client.error instanceof Error);
    t.deepEqual(client.events, ['close']);
  });

  promise('what is written before the connection is up arrives after it is', async (world, t) => {
    const server = new RecordingEnd();
    const { listener, address } = await listen(world, () => server);
    const client = new RecordingEnd();
    client.connection = world.client.connect(address, client);
    t.false(client.send(pattern(5000)));
    await world.until(() => server.receivedBytes === 5000 && client.drains === 1);
    t.deepEqual(client.events, ['open', 'drain']);
    client.connection.destroy();
    await world.until(() => server.closes === 1);
    listener.close();
  });

  promise('a dial that is destroyed at once closes once and never opens', async (world, t) => {
    const server = new RecordingEnd();
    const { listener, address } = await listen(world, () => server);
    const client = new RecordingEnd();
    client.connection = world.client.connect(address, client);
    client.connection.destroy();
    await world.until(() => client.closes === 1);
    t.deepEqual(client.events, ['close']);
    listener.close();
  });

  promise('a listener that closed leaves open connections open', async (world, t) => {
    const { client, server, listener } = await connectPair(world);
    let closed = false;
    listener.close(() => {
      closed = true;
    });
    await world.until(() => closed);
    client.send(pattern(100));
    await world.until(() => server.receivedBytes === 100);
    client.connection?.destroy();
    await world.until(() => server.closes === 1);
    t.pass();
  });

  promise('an address can be bound once at a time, and again after it was closed', async (world, t) => {
    const first = await listen(world, () => new RecordingEnd());
    const outcomes: (Error | undefined)[] = [];
    const bind = () =>
      world.server.listen(
        first.address,
        () => new RecordingEnd(),
        (error: Error | undefined, _bound: Address) => outcomes.push(error),
      );
    bind();
    await world.until(() => outcomes.length === 1);
    t.true(outcomes[0] instanceof Error);
    let closed = false;
    first.listener.close(() => {
      closed = true;
    });
    await world.until(() => closed);
    const again = bind();
    await world.until(() => outcomes.length === 2);
    t.is(outcomes[1], undefined);
    again.close();
  });
}
