import { Opcode } from '@memdb/protocol';
import test from 'ava';
import { FakeWorld } from '../harness/fake-world.js';

/** Every server keeps requests for data without answering. */
function holdAll(fake: FakeWorld): void {
  for (const server of fake.cluster.servers) {
    server.script = ({ opcode }) => (opcode >= Opcode.get && opcode <= Opcode.setMany ? 'handled' : undefined);
  }
}

test('a write without an answer is unknown at its deadline, and was sent once', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  holdAll(fake);
  const startMs = fake.world.nowMs;
  const error = await fake.failure(db.set('a', '1', { timeoutMs: 300 }));
  t.is(error.code, 'timeout');
  t.is(error.outcome, 'unknown');
  t.regex(error.message, /may have been applied/);
  t.true(fake.world.nowMs - startMs >= 300 && fake.world.nowMs - startMs < 320);
  t.is(fake.cluster.requests.length, 1);
  t.is(db.stats.unknown, 1);
});

test('a read without an answer has had no effect', async (t) => {
  const fake = new FakeWorld(1);
  const db = await fake.connect();
  holdAll(fake);
  const error = await fake.failure(db.get('a', { timeoutMs: 300 }));
  t.is(error.code, 'timeout');
  t.is(error.outcome, 'not-applied');
});

test('a write whose connection breaks is unknown at once, and is never sent again', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  for (const server of fake.cluster.servers) {
    server.script = (request) => {
      if (request.opcode !== Opcode.set) return undefined;
      request.session.connection.destroy();
      return 'handled';
    };
  }
  const startMs = fake.world.nowMs;
  const error = await fake.failure(db.set('a', '1'));
  t.is(error.code, 'connection-lost');
  t.is(error.outcome, 'unknown');
  t.true(fake.world.nowMs - startMs < 100);
  await fake.pass(5000);
  t.is(fake.cluster.requests.length, 1);
});

test('a write answered unknown is not sent again, whatever the answer says of trying again', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  for (const server of fake.cluster.servers) {
    server.script = (request) => {
      if (request.opcode !== Opcode.delete) return undefined;
      request.session.sendError(request, 'timeout', { outcome: 'unknown', retryable: true });
      return 'handled';
    };
  }
  const error = await fake.failure(db.delete('a'));
  t.is(error.outcome, 'unknown');
  t.is(fake.cluster.requests.length, 1);
});

test('a late answer to a write that was given up is not taken for the answer to another request', async (t) => {
  const fake = new FakeWorld(1);
  const db = await fake.connect();
  const server = fake.server(1);
  const late: (() => void)[] = [];
  server.script = (request) => {
    if (request.key !== 'late') return undefined;
    late.push(() => server.serve(request));
    return 'handled';
  };
  await fake.failure(db.get('late', { timeoutMs: 50 }));
  fake.cluster.values.set('late', new TextEncoder().encode('wrong'));
  fake.cluster.values.set('other', new TextEncoder().encode('right'));
  const other = db.get('other');
  for (const answer of late) answer();
  t.is(await fake.settle(other), 'right');
  t.is(db.stats.connectionsLost, 0);
});

test('aborted before it was sent: not-applied, and nothing is sent', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const error = await fake.failure(db.set('a', '1', { signal: AbortSignal.abort('no longer needed') }));
  t.is(error.code, 'aborted');
  t.is(error.outcome, 'not-applied');
  t.is(error.cause, 'no longer needed');
  const controller = new AbortController();
  const waiting = fake.create({ seeds: ['nowhere:1'] });
  const promise = waiting.set('a', '1', { signal: controller.signal });
  controller.abort();
  const queued = await fake.failure(promise);
  t.is(queued.outcome, 'not-applied');
  t.is(waiting.stats.queued, 0);
  t.is(waiting.stats.inProgress, 0);
  t.is(fake.cluster.requests.length, 0);
});

test('aborted after it was sent: a write is unknown, a read is not-applied', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  holdAll(fake);
  const controller = new AbortController();
  const write = db.set('a', '1', { signal: controller.signal });
  const read = db.get('a', { signal: controller.signal });
  await fake.pass(20);
  controller.abort();
  t.is((await fake.failure(write)).outcome, 'unknown');
  t.is((await fake.failure(read)).outcome, 'not-applied');
  t.is(db.stats.inProgress, 0);
  await fake.settle(db.close());
});

test('an abort stops the retries', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  for (const server of fake.cluster.servers) {
    server.script = (request) => {
      if (request.opcode !== Opcode.set) return undefined;
      request.session.sendError(request, 'overloaded');
      return 'handled';
    };
  }
  const controller = new AbortController();
  const write = db.set('a', '1', { signal: controller.signal, timeoutMs: 60_000 });
  await fake.pass(500);
  controller.abort();
  const error = await fake.failure(write);
  t.is(error.code, 'aborted');
  t.is(error.outcome, 'not-applied');
  const count = fake.cluster.requests.length;
  await fake.pass(2000);
  t.is(fake.cluster.requests.length, count);
});

test('an operation that settles lets go of its signal', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  let listeners = 0;
  const { signal } = new AbortController();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...parameters: Parameters<typeof add>): void => {
    listeners++;
    add(...parameters);
  };
  signal.removeEventListener = (...parameters: Parameters<typeof remove>): void => {
    listeners--;
    remove(...parameters);
  };
  await fake.settle(db.set('a', '1', { signal }));
  await fake.settle(db.getMany(['a', 'b', 'c'], { signal }));
  t.is(listeners, 0);
});

test('after close every call is refused as not-applied, and what was under way has ended', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const write = db.set('a', '1');
  const closed = db.close();
  await fake.settle(write);
  await fake.settle(closed);
  t.is((await fake.failure(db.get('a'))).code, 'client-closed');
  const [result] = await fake.settle(db.getMany(['a']));
  t.is(result?.error?.code, 'client-closed');
  t.true(fake.cluster.servers.every((server) => server.sessions.size === 0));
  await fake.settle(db.close());
});
