import test from 'ava';
import { FakeWorld } from '../harness/fake-world.js';

test('no more than maxInFlight requests wait for replies on a connection, the others wait in the client', async (t) => {
  const fake = new FakeWorld(1);
  const db = await fake.connect({ maxInFlight: 8 });
  const server = fake.server(1);
  let open = 0;
  let most = 0;
  server.script = (request) => {
    if (request.key === '') return undefined;
    open++;
    most = Math.max(most, open);
    fake.world.at(fake.world.nowMs + 5, () => {
      open--;
      server.serve(request);
    });
    return 'handled';
  };
  const calls = Array.from({ length: 100 }, (_, index) => db.set(`key:${index}`, 'x'));
  t.is(db.stats.queued, 92);
  t.is(db.stats.inProgress, 100);
  await fake.settle(Promise.all(calls));
  t.is(most, 8);
  t.is(db.stats.queued, 0);
});

test('one operation more than maxQueued fails with queue-full, not-applied, and the others succeed', async (t) => {
  const fake = new FakeWorld(1);
  const db = await fake.connect({ maxInFlight: 2, maxQueued: 5 });
  const calls = Array.from({ length: 10 }, (_, index) => db.set(`key:${index}`, 'x'));
  const results = await fake.settle(Promise.allSettled(calls));
  const failed = results.filter((result) => result.status === 'rejected');
  t.is(failed.length, 3);
  for (const { reason } of failed) {
    t.is(reason.code, 'queue-full');
    t.is(reason.outcome, 'not-applied');
    t.regex(reason.message, /5 operations wait already/);
  }
  t.is(fake.cluster.written.length, 7);
  await fake.settle(db.set('later', 'x'));
});

test('operations called while no node is connected wait, are bounded, and end not-applied at their deadline', async (t) => {
  const fake = new FakeWorld(1);
  const db = await fake.connect({ maxQueued: 3 });
  fake.world.crash('n1');
  await fake.pass(100);
  const startMs = fake.world.nowMs;
  const calls = Array.from({ length: 4 }, (_, index) => db.set(`key:${index}`, 'x', { timeoutMs: 500 }));
  t.is((await fake.failure(calls[3] as Promise<void>)).code, 'queue-full');
  const [error] = await Promise.all(calls.slice(0, 3).map((call) => fake.failure(call)));
  t.is(error?.code, 'unavailable');
  t.is(error?.outcome, 'not-applied');
  t.true(fake.world.nowMs - startMs >= 500 && fake.world.nowMs - startMs < 520);
  t.is(db.stats.queued, 0);
});

test('a node that does not read is not sent more than maxRetainedBytes, and others are not held up', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect({ maxRetainedBytes: 65_536 });
  fake.world.pause('n1');
  const value = 'x'.repeat(20_000);
  const calls = Array.from({ length: 600 }, (_, index) =>
    db.set(`key:${index}`, value, { timeoutMs: 4000 }).then(
      () => 'stored',
      (error: { outcome: string }) => error.outcome,
    ),
  );
  await fake.pass(1000);
  const stored = fake.cluster.written.length;
  t.true(stored > 300, `${stored} stored`);
  t.true(db.stats.queued > 0);
  fake.world.resume('n1');
  const outcomes = await fake.settle(Promise.all(calls));
  t.is(outcomes.filter((outcome) => outcome === 'stored').length, 600);
});

test('close waits for what is queued', async (t) => {
  const fake = new FakeWorld(1);
  const db = await fake.connect({ maxInFlight: 1 });
  const calls = Array.from({ length: 20 }, (_, index) => db.set(`key:${index}`, 'x'));
  await fake.settle(db.close());
  await fake.settle(Promise.all(calls));
  t.is(fake.cluster.written.length, 20);
});
