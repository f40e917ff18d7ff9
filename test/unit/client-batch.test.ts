import { MemDbError, Opcode } from '@memdb/protocol';
import test from 'ava';
import { FakeWorld } from '../harness/fake-world.js';

const names = Array.from({ length: 300 }, (_, index) => `key:${index}`);

test('many keys are stored and read with a few requests, and come back in the order they were asked', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const stored = await fake.settle(db.setMany(names.map((key) => [key, `value of ${key}`] as const)));
  t.deepEqual(
    stored,
    names.map((key) => ({ key, value: undefined, error: undefined })),
  );
  const values = await fake.settle(db.getMany([...names, 'absent']));
  t.deepEqual(
    values.map(({ value }) => value),
    [...names.map((key) => `value of ${key}`), undefined],
  );
  const bytes = await fake.settle(db.getManyBytes(['key:1', 'absent']));
  t.deepEqual(bytes[0]?.value, new TextEncoder().encode('value of key:1'));
  t.is(bytes[1]?.value, undefined);
  t.true(fake.cluster.requests.length <= 9, `${fake.cluster.requests.length} requests`);
});

test('an empty batch has no results', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  t.deepEqual(await fake.settle(db.getMany([])), []);
  t.deepEqual(await fake.settle(db.setMany(new Map())), []);
});

test('a key that fails has an error of its own; the batch does not reject', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  for (const server of fake.cluster.servers) {
    server.script = (request) => {
      if (request.opcode !== Opcode.setMany) return undefined;
      request.session.sendBatch(request, (entry) =>
        entry.key === 'bad'
          ? { kind: 'error', error: new MemDbError('value-too-large', 'At most 3 bytes.') }
          : server.serveEntry(request, entry),
      );
      return 'handled';
    };
  }
  const results = await fake.settle(
    db.setMany([
      ['good', '1'],
      ['bad', '12345'],
      ['', 'x'],
      ['k'.repeat(20_000), 'x'],
      ['also good', '2'],
      ['wrong', 5 as unknown as string],
    ]),
  );
  t.deepEqual(
    results.map(({ error }) => error?.code),
    [undefined, 'value-too-large', 'key-empty', 'key-too-large', undefined, 'bad-request'],
  );
  t.true(results.every(({ error }) => error === undefined || error.outcome === 'not-applied'));
});

test('only the keys that were refused are sent again', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const refused = new Set<string>();
  for (const server of fake.cluster.servers) {
    server.script = (request) => {
      if (request.opcode !== Opcode.setMany) return undefined;
      request.session.sendBatch(request, (entry) => {
        if (!entry.key.endsWith('7') || refused.has(entry.key)) return server.serveEntry(request, entry);
        refused.add(entry.key);
        return { kind: 'error', error: new MemDbError('overloaded', 'Try again.') };
      });
      return 'handled';
    };
  }
  const results = await fake.settle(db.setMany(names.map((key) => [key, 'x'] as const)));
  t.true(results.every(({ error }) => error === undefined));
  t.is(refused.size, 30);
  t.deepEqual([...fake.cluster.written].sort(), [...names].sort());
});

test('a connection that breaks: a getMany fails over, the keys of a setMany on it are unknown and are not sent again', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  await fake.settle(db.setMany(names.map((key) => [key, 'old'] as const)));
  fake.server(1).script = (request) => {
    if (request.opcode !== Opcode.getMany && request.opcode !== Opcode.setMany) return undefined;
    request.session.connection.destroy();
    return 'handled';
  };
  const values = await fake.settle(db.getMany(names));
  t.true(values.every(({ value }) => value === 'old'));
  await fake.pass(2000);
  const sentKeys: string[] = [];
  const results = await fake.settle(db.setMany(names.map((key) => [key, 'new'] as const)));
  for (const { entries } of fake.cluster.requests) {
    for (const { key, value } of entries) if (new TextDecoder().decode(value) === 'new') sentKeys.push(key);
  }
  const unknown = results.filter(({ error }) => error?.outcome === 'unknown');
  t.true(unknown.length > 50 && unknown.length < 150);
  t.true(unknown.every(({ error }) => error?.code === 'connection-lost'));
  t.is(results.filter(({ error }) => error === undefined).length + unknown.length, names.length);
  t.is(sentKeys.length, names.length);
});

test('a batch is cut so that every node accepts its frames, and a value that fills a frame travels alone', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect({ timeoutMs: 20_000 });
  const entries = names.map((key, index) => [key, 'v'.repeat(index % 50 === 0 ? 100_000 : 1000)] as const);
  const results = await fake.settle(db.setMany(entries));
  t.true(results.every(({ error }) => error === undefined));
  for (const request of fake.cluster.requests) {
    const bytes = request.entries.reduce((sum, { key, value }) => sum + 8 + key.length + value.length, 32);
    t.true(bytes <= 65_536, `${bytes} bytes`);
  }
  t.is(fake.cluster.requests.filter(({ opcode }) => opcode === Opcode.set).length, 6);
  t.is(fake.cluster.values.get('key:50')?.length, 100_000);
});

test('keys whose values do not fit into one reply are asked for one by one', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  await fake.settle(db.setMany(names.map((key) => [key, key] as const)));
  for (const server of fake.cluster.servers) {
    server.script = (request) => {
      if (request.opcode !== Opcode.getMany) return undefined;
      let room = 20;
      request.session.sendBatch(request, (entry) =>
        room-- > 0
          ? server.serveEntry(request, entry)
          : { kind: 'error', error: new MemDbError('batch-too-large', 'Ask for this one alone.') },
      );
      return 'handled';
    };
  }
  const results = await fake.settle(db.getMany(names));
  t.deepEqual(
    results.map(({ value }) => value),
    names,
  );
  t.is(fake.cluster.requests.filter(({ opcode }) => opcode === Opcode.get).length, 240);
});

test('the same key twice in one setMany: the later value stays', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  const results = await fake.settle(
    db.setMany([
      ['a', 'first'],
      ['b', 'x'],
      ['a', 'second'],
    ]),
  );
  t.is(results.length, 3);
  t.is(await fake.settle(db.get('a')), 'second');
});

test('without an answer every key has its error at the deadline: unknown for writes, not-applied for reads', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  for (const server of fake.cluster.servers) server.script = ({ key }) => (key === '' ? undefined : 'handled');
  const written = await fake.settle(
    db.setMany(
      names.map((key) => [key, 'x'] as const),
      { timeoutMs: 200 },
    ),
  );
  t.true(written.every(({ error }) => error?.code === 'timeout' && error.outcome === 'unknown'));
  const read = await fake.settle(db.getMany(names, { timeoutMs: 200 }));
  t.true(read.every(({ error }) => error?.code === 'timeout' && error.outcome === 'not-applied'));
  t.is(db.stats.inProgress, 0);
});

test('an aborted batch gives every open key its error and frees what it held', async (t) => {
  const fake = new FakeWorld();
  const db = await fake.connect();
  for (const server of fake.cluster.servers) server.script = ({ key }) => (key === '' ? undefined : 'handled');
  const controller = new AbortController();
  const batch = db.setMany(
    names.map((key) => [key, 'x'] as const),
    { signal: controller.signal },
  );
  await fake.pass(10);
  controller.abort();
  const results = await fake.settle(batch);
  t.true(results.every(({ error }) => error?.code === 'aborted' && error.outcome === 'unknown'));
  t.is(db.stats.inProgress, 0);
});
