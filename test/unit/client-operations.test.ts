import { Consistency, Feature, type MemDbError, Opcode } from '@memdb/protocol';
import test from 'ava';
import { FakeWorld } from '../harness/fake-world.js';

const text = new TextEncoder();

test('what is set is got, as text and as bytes', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  await fake.settle(db.set('user:1', 'Ada é 漢 🙂'));
  t.is(await fake.settle(db.get('user:1')), 'Ada é 漢 🙂');
  t.deepEqual(await fake.settle(db.getBytes('user:1')), text.encode('Ada é 漢 🙂'));
  t.true(await fake.settle(db.contains('user:1')));
  await fake.settle(db.delete('user:1'));
  t.false(await fake.settle(db.contains('user:1')));
  t.is(await fake.settle(db.get('user:1')), undefined);
  t.is(await fake.settle(db.getBytes('user:1')), undefined);
});

test('keys and values are bytes: binary, empty, NUL and invalid UTF-8 come back as they were', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  for (const key of [all, new Uint8Array([0]), new Uint8Array([0xff, 0xfe]), '\0', 'a'.repeat(200)]) {
    for (const value of [all, new Uint8Array(0), new Uint8Array([0, 0xc3, 0x28])]) {
      await fake.settle(db.set(key, value));
      t.deepEqual(await fake.settle(db.getBytes(key)), value);
    }
  }
  await fake.settle(db.set('empty', ''));
  t.is(await fake.settle(db.get('empty')), '');
});

test('a key means the same as text and as its UTF-8 bytes', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  await fake.settle(db.set('schlüssel', '1'));
  t.is(await fake.settle(db.get(text.encode('schlüssel'))), '1');
});

test('a value of several MiB travels whole', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const large = new Uint8Array(5 * 1024 * 1024).map((_, at) => (at * 31) & 0xff);
  await fake.settle(db.set('large', large, { timeoutMs: 30_000 }));
  const back = await fake.settle(db.getBytes('large', { timeoutMs: 30_000 }));
  t.true(back !== undefined && Buffer.compare(back, large) === 0);
  const long = 'é'.repeat(1_000_000);
  await fake.settle(db.set('long', long, { timeoutMs: 30_000 }));
  t.is(await fake.settle(db.get('long', { timeoutMs: 30_000 })), long);
});

test('bytes that were handed out are the caller’s own', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  await fake.settle(db.set('a', 'first'));
  const bytes = await fake.settle(db.getBytes('a'));
  await fake.settle(db.set('a', 'other'));
  await fake.settle(db.getBytes('a'));
  t.deepEqual(bytes, text.encode('first'));
});

test('quorumGet tells the newest version and what every replica answered', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  await fake.settle(db.set('a', 'new'));
  const result = await fake.settle(db.quorumGet('a', { replies: 'all' }));
  t.is(result.value, 'new');
  t.deepEqual(result.bytes, text.encode('new'));
  t.deepEqual(result.mostUpToDate, { value: 'new', bytes: text.encode('new'), stamp: result.stamp });
  t.false(result.agreed);
  t.deepEqual(
    result.responses.map(({ node, value, error }) => [node, value, error?.code]),
    [
      [1, 'new', undefined],
      [2, 'old', undefined],
      [3, undefined, undefined],
      [4, undefined, 'timeout'],
    ],
  );
  t.deepEqual(result.responses[0]?.stamp, result.stamp);
  t.is(result.responses[1]?.stamp?.counter, result.stamp.counter - 1);
});

test('quorumGet of an absent key has neither value nor bytes', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const result = await fake.settle(db.quorumGet('nothing'));
  t.is(result.value, undefined);
  t.is(result.mostUpToDate.bytes, undefined);
});

test('a request carries consistency, remaining time, session counter and epoch', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect({ consistency: 'one', timeoutMs: 700 });
  await fake.settle(db.set('a', '1'));
  await fake.settle(db.get('a', { consistency: 'all', timeoutMs: 90 }));
  await fake.settle(db.quorumGet('a', { replies: 2 }));
  const [set, get, quorumGet] = ['a'].flatMap(() => fake.cluster.requests);
  t.is(set?.level, Consistency.one);
  t.is(set?.deadlineMs, 700);
  t.is(set?.epoch, 1);
  t.true((set?.counter ?? 0) >= 1000);
  t.is(get?.level, Consistency.all);
  t.is(get?.deadlineMs, 90);
  t.true((get?.counter ?? 0) > (set?.counter ?? 0));
  t.is(quorumGet?.level, 2);
  t.is(quorumGet?.opcode, Opcode.quorumGet);
});

test('a request goes to the first replica of its key', async (t) => {
  const fake = new FakeWorld();
  fake.cluster.replicas = 1;
  const db = await fake.connect();
  await Promise.all(Array.from({ length: 60 }, (_, index) => fake.settle(db.set(`key:${index}`, 'x'))));
  const before = fake.cluster.requests.map((request) => [request.key, request.server.number]);
  await Promise.all(Array.from({ length: 60 }, (_, index) => fake.settle(db.get(`key:${index}`))));
  const owners = new Map(before as [string, number][]);
  const reads = fake.cluster.requests.filter((request) => request.opcode === Opcode.get);
  t.true(reads.every((request) => owners.get(request.key) === request.server.number));
  t.is(new Set(owners.values()).size, 3);
});

test('a key that is empty or too long, a value that is too long: not-applied, with the limit in the sentence', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const cases: [Promise<unknown>, MemDbError['code'], RegExp][] = [
    [db.set('', 'x'), 'key-empty', /1 to 16384 bytes/],
    [db.get(new Uint8Array(0)), 'key-empty', /1 to 16384 bytes/],
    [db.set('k'.repeat(16_385), 'x'), 'key-too-large', /16384 bytes/],
    [db.get('é'.repeat(8193)), 'key-too-large', /16384 bytes/],
    [db.set('k', new Uint8Array(64 * 1024 * 1024 + 1)), 'value-too-large', /67108864 bytes/],
  ];
  for (const [promise, code, message] of cases) {
    const error = await fake.failure(promise);
    t.is(error.code, code);
    t.is(error.outcome, 'not-applied');
    t.regex(error.message, message);
  }
  await fake.settle(db.set('k'.repeat(16_384), 'x'));
  t.is(fake.cluster.requests.length, 1);
});

test('a time to live travels with set and setMany, and with a value that travels alone', async (t) => {
  const fake = new FakeWorld(1);
  const db = await fake.connect();
  await fake.settle(db.set('a', '1', { ttlMs: 10_000 }));
  await fake.settle(db.set('b', '2'));
  const large = 'x'.repeat(100_000);
  await fake.settle(
    db.setMany(
      [
        ['c', '3'],
        ['d', large],
      ],
      { ttlMs: 315_360_000_000 },
    ),
  );
  await fake.settle(db.setMany([['e', '5']]));
  const sent = fake.cluster.requests.map(({ opcode, key, ttlMs }) => [opcode, key, ttlMs]);
  t.deepEqual(sent.slice(0, 2), [
    [Opcode.set, 'a', 10_000],
    [Opcode.set, 'b', 0],
  ]);
  t.deepEqual(
    new Map(sent.slice(2).map(([opcode, key, ttlMs]) => [key, [opcode, ttlMs]])),
    new Map([
      ['c', [Opcode.setMany, 315_360_000_000]],
      ['d', [Opcode.set, 315_360_000_000]],
      ['e', [Opcode.setMany, 0]],
    ]),
  );
  t.is(await fake.settle(db.get('d')), large);
});

test('a time to live is a whole number of milliseconds up to ten years; anything else is refused and not sent', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  for (const ttlMs of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 315_360_000_001]) {
    const [{ error }] = await fake.settle(db.setMany([['a', 'x']], { ttlMs }));
    for (const refused of [await fake.failure(db.set('a', 'x', { ttlMs })), error]) {
      t.is(refused?.code, 'bad-request');
      t.is(refused?.outcome, 'not-applied');
      t.regex(refused?.message ?? '', /ttlMs must be a whole number from 1 to 315360000000/);
    }
  }
  t.is(fake.cluster.requests.length, 0);
});

test('a time to live is not sent to a node that does not know it: the value would stay for good', async (t) => {
  const fake = new FakeWorld();
  for (const server of fake.cluster.servers) server.features = Feature.batch;
  const db = await fake.connect();
  const error = await fake.failure(db.set('a', 'x', { ttlMs: 1000 }));
  t.is(error.code, 'not-supported');
  t.is(error.outcome, 'not-applied');
  t.regex(error.message, /does not know ttlMs/);
  const results = await fake.settle(
    db.setMany(
      [
        ['a', 'x'],
        ['b', 'y'],
      ],
      { ttlMs: 1000 },
    ),
  );
  t.deepEqual(
    results.map((result) => result.error?.code),
    ['not-supported', 'not-supported'],
  );
  t.is(fake.cluster.requests.length, 0);
  await fake.settle(db.set('a', 'y'));
  t.is(await fake.settle(db.get('a')), 'y');
});

test('what cannot be meant is refused with a sentence: wrong types, levels, times', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const wrong = <Wrong>(value: unknown): Wrong => value as Wrong;
  const cases: [Promise<unknown>, MemDbError['code']][] = [
    [db.set('a', wrong(5)), 'bad-request'],
    [db.get(wrong(null)), 'bad-request'],
    [db.get('a', { consistency: wrong('most') }), 'bad-request'],
    [db.get('a', { timeoutMs: 0 }), 'bad-request'],
    [db.get('a', { timeoutMs: Number.NaN }), 'bad-request'],
    [db.quorumGet('a', { replies: 0 }), 'bad-request'],
    [db.quorumGet('a', { replies: wrong('few') }), 'bad-request'],
  ];
  for (const [promise, code] of cases) {
    const error = await fake.failure(promise);
    t.is(error.code, code);
    t.is(error.outcome, 'not-applied');
  }
  t.is(fake.cluster.requests.length, 0);
});

test('what is called in one turn leaves in one write per node', async (t) => {
  const fake = new FakeWorld(1);
  fake.world.network.behaviour.splitChance = 0;
  fake.world.network.behaviour.retainChance = 0;
  const db = await fake.connect();
  const before = fake.world.eventsRun;
  const calls = Array.from({ length: 100 }, (_, index) => db.set(`key:${index}`, 'x'));
  await fake.settle(Promise.all(calls));
  // A hundred requests and replies in a handful of deliveries, not in hundreds.
  t.true(fake.world.eventsRun - before < 120, `${fake.world.eventsRun - before} events`);
});

test('the numbers in stats add up', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  await fake.settle(db.set('a', '1'));
  await fake.settle(db.getMany(['a', 'b', 'c']));
  await fake.failure(db.set('', 'x'));
  const { operations, succeeded, notApplied, unknown, retries, inProgress, queued, connections } = db.stats;
  t.deepEqual(
    { operations, succeeded, notApplied, unknown, retries, inProgress, queued, connections },
    { operations: 5, succeeded: 4, notApplied: 1, unknown: 0, retries: 0, inProgress: 0, queued: 0, connections: 3 },
  );
});
