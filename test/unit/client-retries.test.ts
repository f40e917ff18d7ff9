import { type ErrorCodeName, Opcode } from '@memdb/protocol';
import test from 'ava';
import type { FakeServer } from '../harness/fake-server.js';
import { FakeWorld } from '../harness/fake-world.js';

function refuse(server: FakeServer, code: ErrorCodeName, count: number = Number.POSITIVE_INFINITY): void {
  let refusals = 0;
  server.script = (request) => {
    if (request.opcode < Opcode.get || request.opcode > Opcode.setMany || refusals >= count) return undefined;
    refusals++;
    request.session.sendError(request, code);
    return 'handled';
  };
}

/** Which server a key goes to first. */
async function coordinatorOf(
  fake: FakeWorld,
  db: { get(key: string): Promise<unknown> },
  key: string,
): Promise<FakeServer> {
  await fake.settle(db.get(key));
  const request = fake.cluster.requests.filter((candidate) => candidate.key === key).at(-1);
  if (request === undefined) throw new Error('nobody was asked');
  return request.server;
}

for (const code of [
  'shutting-down',
  'not-replica',
  'wrong-epoch',
  'overloaded',
  'unavailable',
  'clock-ahead',
] as const) {
  test(`a write answered ${code} is tried again, at another replica, and succeeds`, async (t) => {
    const fake = new FakeWorld();
    const db = await fake.connect();
    const first = await coordinatorOf(fake, db, 'a');
    refuse(first, code);
    await fake.settle(db.set('a', '1'));
    t.is(fake.cluster.written.length, 1);
    t.is(db.stats.retries, 1);
    t.not(fake.cluster.requests.filter(({ opcode, server }) => opcode === Opcode.set && server !== first).length, 0);
  });
}

test('unavailable from every replica fails fast, long before the deadline', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  for (const server of fake.cluster.servers) refuse(server, 'unavailable');
  const startMs = fake.world.nowMs;
  const error = await fake.failure(db.set('a', '1', { timeoutMs: 10_000 }));
  t.is(error.code, 'unavailable');
  t.is(error.outcome, 'not-applied');
  t.true(fake.world.nowMs - startMs < 500);
  t.is(fake.cluster.requests.length, 6);
});

test('what stays refused ends at the deadline with the last refusal, not-applied', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  for (const server of fake.cluster.servers) refuse(server, 'overloaded');
  const startMs = fake.world.nowMs;
  const error = await fake.failure(db.set('a', '1', { timeoutMs: 1000 }));
  t.is(error.code, 'overloaded');
  t.is(error.outcome, 'not-applied');
  t.regex(error.message, /tried \d+ times within 1000 ms/);
  const tookMs = fake.world.nowMs - startMs;
  t.true(tookMs > 500 && tookMs <= 1010, `${tookMs} ms`);
});

test('what no other node would answer differently is not tried again', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  for (const server of fake.cluster.servers) refuse(server, 'value-too-large');
  const error = await fake.failure(db.set('a', '1'));
  t.is(error.code, 'value-too-large');
  t.is(fake.cluster.requests.length, 1);
});

test('a read fails over when its connection breaks', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  await fake.settle(db.set('a', '1'));
  const first = await coordinatorOf(fake, db, 'a');
  first.script = (request) => {
    request.session.connection.destroy();
    return 'handled';
  };
  t.is(await fake.settle(db.get('a')), '1');
  t.is(await fake.settle(db.getBytes('a')).then((bytes) => bytes?.length), 1);
  t.true((await fake.settle(db.quorumGet('a'))).value === '1');
});

test('a read fails over from a node that has gone silent, well inside its time', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  await fake.settle(db.set('a', '1'));
  const first = await coordinatorOf(fake, db, 'a');
  fake.world.pause(`n${first.number}`);
  const startMs = fake.world.nowMs;
  t.is(await fake.settle(db.get('a', { timeoutMs: 1000 })), '1');
  t.true(fake.world.nowMs - startMs < 400);
  const againMs = fake.world.nowMs;
  t.is(await fake.settle(db.get('a', { timeoutMs: 1000 })), '1');
  t.true(fake.world.nowMs - againMs < 50, 'the silent node is not asked first any more');
  await fake.settle(db.set('b', '2'));
  fake.world.resume(`n${first.number}`);
  await fake.pass(2000);
  t.is(await coordinatorOf(fake, db, 'a'), first, 'it is asked first again once it speaks');
});

test('a slow answer is waited for: a node that speaks is not silent', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const first = await coordinatorOf(fake, db, 'a');
  first.script = (request) => {
    if (request.key !== 'a') return undefined;
    fake.world.at(fake.world.nowMs + 900, () => first.serve(request));
    return 'handled';
  };
  const asked = fake.cluster.requests.length;
  const slow = db.get('a', { timeoutMs: 1000 });
  for (let index = 0; index < 80; index++) {
    await fake.settle(Promise.all(['b', 'c', 'd', 'e', 'f'].map((key) => db.get(`${key}${index}`))));
    await fake.pass(10);
  }
  await fake.settle(slow);
  t.is(fake.cluster.requests.filter(({ key }) => key === 'a').length, asked + 1);
});

test('requests that were not sent when their connection broke are sent elsewhere, writes too', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect({ maxInFlight: 1 });
  const first = await coordinatorOf(fake, db, 'a');
  first.script = () => 'handled';
  const sent = db.set('a', 'sent');
  const unsent = Array.from({ length: 5 }, (_, index) => db.set('a', `unsent ${index}`));
  await fake.pass(50);
  for (const session of first.sessions) session.connection.destroy();
  t.is((await fake.failure(sent)).outcome, 'unknown');
  await fake.settle(Promise.all(unsent));
  t.is(new TextDecoder().decode(fake.cluster.values.get('a')), 'unsent 4');
});

test('a node that says goodbye gets no new requests, and those it has are answered', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const first = await coordinatorOf(fake, db, 'a');
  first.script = (request) => {
    if (request.key !== 'a') return undefined;
    request.session.sendGoodbye('shutting-down');
    fake.world.at(fake.world.nowMs + 100, () => first.serve(request));
    return 'handled';
  };
  const write = db.set('a', '1');
  await fake.pass(20);
  const count = first.requests.length;
  await fake.settle(Promise.all(Array.from({ length: 30 }, (_, index) => db.set(`key:${index}`, 'x'))));
  t.is(first.requests.length, count);
  await fake.settle(write);
  t.is(db.stats.unknown, 0);
});
