import { type MemDbErrorOptions, Opcode } from '@memdb/protocol';
import test from 'ava';
import { FakeWorld } from '../harness/fake-world.js';

const decoder = new TextDecoder();

test('writes to one key that were called without waiting arrive in the order of the calls', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect({ connectionsPerNode: 4 });
  const calls: Promise<void>[] = [];
  for (let index = 0; index < 200; index++) {
    for (const key of ['a', 'b', 'c']) calls.push(db.set(key, `${index}`));
    if (index % 10 === 9) await fake.pass(1);
  }
  await fake.settle(Promise.all(calls));
  for (const key of ['a', 'b', 'c']) {
    const values = fake.cluster.requests
      .filter((request) => request.key === key)
      .map(({ value }) => decoder.decode(value));
    t.deepEqual(
      values,
      Array.from({ length: 200 }, (_, index) => `${index}`),
    );
  }
});

test('they keep it when some of them have to wait for room', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect({ maxInFlight: 2 });
  const calls = Array.from({ length: 100 }, (_, index) => db.set('a', `${index}`));
  t.is(db.stats.queued, 98);
  await fake.settle(Promise.all(calls));
  t.deepEqual(
    fake.cluster.requests.map(({ value }) => decoder.decode(value)),
    Array.from({ length: 100 }, (_, index) => `${index}`),
  );
});

test('and when they were called before any node was connected', async (t) => {
  const fake = new FakeWorld();
  const db = fake.create();
  const calls = Array.from({ length: 50 }, (_, index) => db.set('a', `${index}`));
  await fake.settle(Promise.all(calls));
  t.is(decoder.decode(fake.cluster.values.get('a')), '49');
});

test('a refused write is not sent again once a later one to its key was called', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  let refusals = 0;
  for (const server of fake.cluster.servers) {
    server.script = (request) => {
      if (decoder.decode(request.value) !== 'first' || refusals > 0) return undefined;
      refusals++;
      request.session.sendError(request, 'overloaded');
      return 'handled';
    };
  }
  const first = db.set('a', 'first');
  const second = db.set('a', 'second');
  const error = await fake.failure(first);
  await fake.settle(second);
  t.is(error.code, 'overloaded');
  t.is(error.outcome, 'not-applied');
  t.is(decoder.decode(fake.cluster.values.get('a')), 'second');
  t.is(refusals, 1);
});

test('a write waits behind those to its key that their node still owes an answer to, also when that node is going away', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const order: string[] = [];
  for (const server of fake.cluster.servers) {
    server.script = (request) => {
      if (request.opcode !== Opcode.set) return undefined;
      const value = decoder.decode(request.value);
      if (value !== 'first') {
        order.push(value);
        return undefined;
      }
      request.session.sendGoodbye('shutting-down');
      fake.world.at(fake.world.nowMs + 50, () => {
        order.push('first');
        server.serve(request);
        fake.world.at(fake.world.nowMs + 10, () => request.session.connection.destroy());
      });
      return 'handled';
    };
  }
  const first = db.set('a', 'first');
  await fake.pass(20);
  const second = db.set('a', 'second');
  await fake.settle(Promise.all([first, second]));
  t.deepEqual(order, ['first', 'second']);
});

test('replies may come in any order: each goes to its own request', async (t) => {
  const fake = new FakeWorld(1);
  const db = await fake.connect();
  const server = fake.server(1);
  const held: (() => void)[] = [];
  server.script = (request) => {
    if (request.opcode < Opcode.get) return undefined;
    held.push(() => server.serve(request));
    return 'handled';
  };
  for (let index = 0; index < 50; index++) {
    fake.cluster.values.set(`key:${index}`, new TextEncoder().encode(`value ${index}`));
  }
  const calls = Array.from({ length: 50 }, (_, index) => db.get(`key:${index}`));
  await fake.pass(20);
  t.is(held.length, 50);
  for (let turn = 0; held.length > 0; turn++) held.splice((turn * 17) % held.length, 1)[0]?.();
  t.deepEqual(
    await fake.settle(Promise.all(calls)),
    Array.from({ length: 50 }, (_, index) => `value ${index}`),
  );
});

test('a client’s requests carry all that it has seen, from any node, and its token only grows', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  let seen = 0;
  for (let index = 0; index < 30; index++) {
    fake.cluster.counter += index === 15 ? -500 : 7;
    await fake.settle(db.set(`key:${index}`, 'x'));
    t.true(db.session.token >= seen);
    seen = db.session.token;
    t.true((fake.cluster.requests.at(-1)?.counter ?? 0) <= seen);
  }
  const last = fake.cluster.requests.map(({ counter }) => counter);
  t.true(last.length === 30 && Math.max(...last) <= seen);
});

test('a token carries causality to another client, as number or text; nonsense is refused', async (t) => {
  const fake = new FakeWorld();
  for (const token of [123_456_789_012, '123456789012']) {
    const db = await fake.connect({ token });
    await fake.settle(db.set('a', '1'));
    t.is(fake.cluster.requests.at(-1)?.counter, 123_456_789_012);
    t.is(db.session.token, 123_456_789_012);
  }
  for (const token of ['', 'abc', '-1', 1.5, 2 ** 53, Number.NaN]) {
    t.throws(() => fake.create({ token }), { code: 'bad-request' } as MemDbErrorOptions & { code: string });
  }
});
