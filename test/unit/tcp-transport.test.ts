import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import test from 'ava';
import { TcpTransport } from '../../src/platform/tcp-transport.js';
import type { Address, Connection, ConnectionHandler } from '../../src/ports/transport.js';

const HEADROOM_BYTES = 64 * 1024;
const LOOPBACK: Address = { host: '127.0.0.1', port: 0 };

interface Arrival {
  readonly start: number;
  readonly length: number;
  readonly buffer: ArrayBufferLike;
}

/** Sends one byte each way over two connections and tells where it landed. */
async function arrivals(
  receive: 'shared' | 'chunks',
): Promise<{ readonly server: Arrival[]; readonly client: Arrival[] }> {
  const transport = new TcpTransport({ receive });
  const server: Arrival[] = [];
  const client: Arrival[] = [];
  const record = (into: Arrival[], then: (connection: Connection) => void) => {
    let connection: Connection | undefined;
    const handler: ConnectionHandler = {
      onData(bytes, _view, start, end) {
        into.push({ start, length: end - start, buffer: bytes.buffer });
        if (connection !== undefined) then(connection);
      },
      onClose() {},
    };
    return {
      handler,
      attach: (made: Connection) => {
        connection = made;
      },
    };
  };
  const byte = new Uint8Array([1]);
  await new Promise<void>((resolve) => {
    const listener = transport.listen(
      LOOPBACK,
      (connection) => {
        const end = record(server, (made) => made.write(byte, 0, 1));
        end.attach(connection);
        return end.handler;
      },
      (_error, bound) => {
        let open = 2;
        for (let index = 0; index < 2; index++) {
          const end = record(client, (made) => made.destroy());
          end.handler.onClose = () => {
            if (--open === 0) listener.close(resolve);
          };
          const connection = transport.connect(bound, end.handler);
          end.attach(connection);
          connection.write(byte, 0, 1);
        }
      },
    );
  });
  return { server, client };
}

test('all connections, accepted and dialled, receive into one buffer with headroom', async (t) => {
  const { server, client } = await arrivals('shared');
  const all = [...server, ...client];
  t.is(all.length, 4);
  t.true(all.every((arrival) => arrival.start === HEADROOM_BYTES && arrival.length === 1));
  t.is(new Set(all.map((arrival) => arrival.buffer)).size, 1);
});

test('the fallback receives chunk by chunk, without headroom', async (t) => {
  const { server, client } = await arrivals('chunks');
  const all = [...server, ...client];
  t.is(all.length, 4);
  t.true(all.every((arrival) => arrival.start === 0 && arrival.length === 1));
});

test('an adopted connection is closed with its peer, and the listener with nothing left behind', async (t) => {
  const transport = new TcpTransport();
  await new Promise<void>((resolve) => {
    const listener = transport.listen(
      LOOPBACK,
      () => ({
        onData() {},
        onClose: (error) => {
          t.is(error, undefined);
          listener.close(resolve);
        },
      }),
      (_error, bound) => {
        const socket = connect(bound.port, bound.host, () => socket.end('bye'));
        socket.resume();
      },
    );
  });
  t.pass();
});

test('a reset by the peer is an error, told once', async (t) => {
  const transport = new TcpTransport();
  const errors = await new Promise<(Error | undefined)[]>((resolve) => {
    const seen: (Error | undefined)[] = [];
    const listener = transport.listen(
      LOOPBACK,
      (connection) => ({
        onData: (bytes, _view, start, end) => void connection.write(bytes.slice(start, end), 0, end - start),
        onClose(error) {
          seen.push(error);
          listener.close(() => resolve(seen));
        },
      }),
      (_error, bound) => {
        const socket = connect(bound.port, bound.host, () => socket.write('x'));
        socket.on('data', () => socket.resetAndDestroy());
      },
    );
  });
  t.is(errors.length, 1);
  t.regex(String(errors[0]), /ECONNRESET/);
});

test('an address that makes no sense closes the connection with an error', async (t) => {
  const transport = new TcpTransport();
  const error = await new Promise<Error | undefined>((resolve) => {
    transport.connect({ host: '127.0.0.1', port: 99_999 }, { onData() {}, onClose: resolve });
  });
  t.true(error instanceof Error);
});

for (const where of ['onData', 'onOpen', 'accept', 'onClose', 'onDrain']) {
  test(`an exception in ${where} ends the process`, (t) => {
    const module = new URL('../../src/platform/tcp-transport.js', import.meta.url).href;
    const program = `import { TcpTransport } from ${JSON.stringify(module)};
      const fail = (at) => { if (at === ${JSON.stringify(where)}) throw new Error('invariant broken in ' + at); };
      const transport = new TcpTransport();
      const big = new Uint8Array(1e7);
      transport.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
        fail('accept');
        let received = 0;
        return { onData(bytes, view, start, end) {
          fail('onData');
          received += end - start;
          if (received === big.length) connection.destroy();
        }, onClose() {} };
      }, (error, bound) => {
        const connection = transport.connect(bound, {
          onOpen() { fail('onOpen'); }, onData() {}, onDrain() { fail('onDrain'); },
          onClose() { fail('onClose'); process.exit(0); },
        });
        connection.write(big, 0, big.length);
      });`;
    const run = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { timeout: 30_000 });
    t.is(run.status, 1, String(run.stderr));
    t.true(String(run.stderr).includes(`invariant broken in ${where}`));
  });
}
