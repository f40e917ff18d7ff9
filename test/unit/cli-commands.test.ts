import type { Client, QuorumGetResult } from '@memdb/client';
import { MemDbError } from '@memdb/client';
import test from 'ava';
import type { CliIo } from '../../src/cli/cli-io.js';
import { runCli } from '../../src/cli/program.js';
import { parseKeys } from '../../src/config/key-ring.js';

const url = `memdb://app:${'A'.repeat(43)}@127.0.0.1:10000`;

/** A client whose operations the test writes; the others fail the test. */
type FakeClient = Partial<
  Record<
    | 'admin'
    | 'topology'
    | 'getBytes'
    | 'set'
    | 'delete'
    | 'contains'
    | 'quorumGet'
    | 'keysBytes'
    | 'counter'
    | 'compareAndSet',
    unknown
  >
>;

interface Run {
  readonly code: number;
  readonly output: Uint8Array;
  readonly text: string;
  readonly errors: string;
  readonly connectedTo: string | undefined;
  readonly closed: boolean;
}

interface RunOptions {
  readonly client?: FakeClient;
  readonly connectError?: Error;
  /** The role of the key in the URL; connections of another one are refused. */
  readonly keyRole?: 'client' | 'admin' | 'node';
  readonly input?: Uint8Array;
  readonly files?: Readonly<Record<string, Uint8Array>>;
  readonly terminal?: boolean;
  /** What a person types when asked; nobody can be asked without it. */
  readonly answer?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

async function run(words: readonly string[], options: RunOptions = {}): Promise<Run> {
  const output: Uint8Array[] = [];
  let errors = '';
  let connectedTo: string | undefined;
  let closed = false;
  const io: CliIo = {
    environment: options.environment ?? { MEMDB_URL: url },
    workingDirectory: '/nowhere',
    outputIsTerminal: options.terminal === true,
    inputIsTerminal: options.answer !== undefined,
    readLine: async () => options.answer ?? '',
    writeOutput: (data) => void output.push(typeof data === 'string' ? Buffer.from(data) : data),
    nowMs: () => 1_800_000_000_000,
    pause: async () => {},
    isDirectory: () => false,
    openDirectory: () => {
      throw new Error('no directory');
    },
    outputDrained: async () => {},
    writeError: (text) => {
      errors += text;
    },
    readInput: async () => options.input ?? new Uint8Array(),
    readFile: (path) => options.files?.[path] ?? new Uint8Array(),
    readFileIfExists: (path) => options.files?.[path],
  };
  const close = async (): Promise<void> => {
    closed = true;
  };
  const code = await runCli({
    arguments: words,
    version: '1.2.3',
    io,
    connect: async (target, given) => {
      connectedTo = String(target);
      const role = given?.role ?? 'client';
      if (options.keyRole !== undefined && options.keyRole !== role) {
        throw new MemDbError('authentication-failed', `no key of role ${role}`);
      }
      if (options.connectError !== undefined) throw options.connectError;
      return { close, ...options.client } as unknown as Client;
    },
  });
  const bytes = Buffer.concat(output);
  return { code, output: bytes, text: bytes.toString(), errors, connectedTo, closed };
}

const binary = Uint8Array.of(0, 255, 10, 128, 0);

test('get writes the raw bytes when piped and adds a newline for a person', async (t) => {
  const client: FakeClient = { getBytes: async () => binary };
  const piped = await run(['get', 'k'], { client });
  t.is(piped.code, 0);
  t.deepEqual(Uint8Array.from(piped.output), binary);
  t.true(piped.closed);
  const seen = await run(['get', 'k'], { client, terminal: true });
  t.deepEqual(Uint8Array.from(seen.output), Uint8Array.of(...binary, 10));
});

test('get of an absent key exits with 3 and writes nothing to a pipe', async (t) => {
  const result = await run(['get', 'k'], { client: { getBytes: async () => undefined } });
  t.is(result.code, 3);
  t.is(result.text, '');
  t.regex(result.errors, /no value for "k"/);
});

test('get --json carries text as text and other bytes as base64', async (t) => {
  const text = await run(['get', 'k', '--json'], { client: { getBytes: async () => Buffer.from('Adä') } });
  t.deepEqual(JSON.parse(text.text), { key: 'k', found: true, bytes: 4, value: 'Adä' });
  const bytes = await run(['get', 'k', '--json'], { client: { getBytes: async () => binary } });
  t.deepEqual(JSON.parse(bytes.text), { key: 'k', found: true, bytes: 5, valueBase64: 'AP8KgAA=' });
  const absent = await run(['--json', 'get', 'k'], { client: { getBytes: async () => undefined } });
  t.deepEqual(JSON.parse(absent.text), { key: 'k', found: false });
  t.is(absent.code, 3);
});

test('set takes the value as argument, from standard input and from a file, byte for byte', async (t) => {
  const stored: unknown[] = [];
  const client: FakeClient = { set: async (_key: string, value: unknown) => void stored.push(value) };
  t.is((await run(['set', 'k', 'Ada'], { client })).code, 0);
  t.is((await run(['set', 'k', '-'], { client, input: binary })).code, 0);
  t.is((await run(['set', 'k', '--file', 'f'], { client, files: { f: binary } })).code, 0);
  t.is((await run(['set', 'k', ''], { client })).code, 0);
  t.is((await run(['set', 'k', '--', '--json'], { client })).text, 'stored\n');
  t.deepEqual(stored, ['Ada', binary, binary, '', '--json']);
});

test('set --ttl takes a time with its unit', async (t) => {
  const ttls: unknown[] = [];
  const client: FakeClient = { set: async (_key: string, _value: unknown, options: object) => void ttls.push(options) };
  for (const ttl of ['500ms', '10s', '2h', '3650d'])
    t.is((await run(['set', 'k', 'v', '--ttl', ttl], { client })).code, 0);
  t.deepEqual(ttls, [{ ttlMs: 500 }, { ttlMs: 10_000 }, { ttlMs: 7_200_000 }, { ttlMs: 315_360_000_000 }]);
  const json = await run(['set', 'k', 'v', '--ttl', '10s', '--json'], { client });
  t.deepEqual(JSON.parse(json.text), { key: 'k', stored: true, bytes: 1, ttlMs: 10_000 });
  for (const ttl of ['10', '0s', '3651d', 'soon', '-1s']) {
    const refused = await run(['set', 'k', 'v', `--ttl=${ttl}`], { client });
    t.is(refused.code, 2, ttl);
    t.regex(refused.errors, /from 1ms to 3650d \(10 years\)/);
  }
});

test('set without a value, or with two, is a usage error', async (t) => {
  t.is((await run(['set', 'k'])).code, 2);
  t.is((await run(['set', 'k', 'v', '--file', 'f'])).code, 2);
});

test('consistency and timeout reach the client; other words are refused as usage', async (t) => {
  let seen: unknown;
  const client: FakeClient = {
    set: async (_key: string, _value: string, options: unknown) => {
      seen = options;
    },
  };
  t.is((await run(['set', 'k', 'v', '--consistency', 'all', '--timeout', '500ms'], { client })).code, 0);
  t.deepEqual(seen, { consistency: 'all', timeoutMs: 500 });
  t.is((await run(['set', 'k', 'v', '--timeout', '1500'], { client })).code, 0);
  t.deepEqual(seen, { timeoutMs: 1500 });
  t.is((await run(['set', 'k', 'v', '--consistency', 'most'], { client })).code, 2);
  t.is((await run(['set', 'k', 'v', '--timeout', 'soon'], { client })).code, 2);
});

test('contains says true or false, also by its exit code', async (t) => {
  const yes = await run(['contains', 'k'], { client: { contains: async () => true } });
  t.deepEqual([yes.code, yes.text], [0, 'true\n']);
  const no = await run(['contains', 'k'], { client: { contains: async () => false } });
  t.deepEqual([no.code, no.text], [3, 'false\n']);
});

test('cas exits with 0 when it was applied, with 3 when the comparison failed, with 5 when nobody knows', async (t) => {
  const stamp = { counter: 9, node: 1 };
  const asked: unknown[] = [];
  const answers = (result: object): FakeClient => ({
    compareAndSet: async (...call: unknown[]) => {
      asked.push(call.slice(0, 2));
      return result;
    },
  });
  const yes = await run(['cas', 'k', 'a', 'b'], { client: answers({ applied: true, actual: undefined, stamp }) });
  t.deepEqual([yes.code, yes.text], [0, 'applied\n']);
  const no = await run(['cas', 'k', 'b', '--absent'], { client: answers({ applied: false, actual: 'x', stamp }) });
  t.deepEqual([no.code, no.text], [3, 'not applied: it holds "x"\n']);
  t.deepEqual(asked, [
    ['k', { expected: 'a', next: 'b' }],
    ['k', { expected: undefined, next: 'b' }],
  ]);
  const error = new MemDbError('timeout', 'late', { outcome: 'unknown', operationId: 'AAAA' });
  const failing = { compareAndSet: async () => Promise.reject(error) };
  const lost = await run(['cas', 'k', 'a', 'b', '--json'], { client: failing });
  t.is(lost.code, 5);
  t.regex(lost.text + lost.errors, /"operationId": ?"AAAA"/);
  t.is((await run(['cas', 'k', 'a'], { client: failing })).code, 2);
});

test('quorum-get shows what each replica answered', async (t) => {
  const stamp = { counter: 9, node: 1 };
  const newest = { value: 'new', bytes: Buffer.from('new'), stamp };
  const result: QuorumGetResult = {
    ...newest,
    mostUpToDate: newest,
    agreed: false,
    responses: [
      { node: 1, ...newest, error: undefined },
      { node: 2, value: 'old', bytes: Buffer.from('old'), stamp: { counter: 4, node: 2 }, error: undefined },
      { node: 3, value: undefined, bytes: undefined, stamp: undefined, error: new MemDbError('timeout', 'too slow') },
    ],
  };
  let replies: unknown;
  const client: FakeClient = {
    quorumGet: async (_key: string, options: { replies: unknown }) => {
      replies = options.replies;
      return result;
    },
  };
  const table = await run(['quorum-get', 'k', '--replies', 'all'], { client });
  t.is(table.code, 0);
  t.is(replies, 'all');
  t.regex(table.text, /^value {3}"new"$/m);
  t.regex(table.text, /^node 1 {2}the same$/m);
  t.regex(table.text, /^node 2 {2}older: "old" at 4 by node 2$/m);
  t.regex(table.text, /^node 3 {2}timeout: too slow$/m);
  const json = JSON.parse((await run(['quorum-get', 'k', '--json'], { client })).text);
  t.is(json.agreed, false);
  t.deepEqual(json.responses[1], { node: 2, value: 'old', found: true, stamp: { counter: 4, node: 2 } });
  t.is(json.responses[2].error.code, 'timeout');
  t.is((await run(['quorum-get', 'k', '--replies', '0'], { client })).code, 2);
});

test('a write that may have been applied exits with 5, a read without an answer with 4', async (t) => {
  const timeout = async (): Promise<never> => {
    throw new MemDbError('timeout', 'no answer within 2000 ms', { outcome: 'unknown', node: 2 });
  };
  const write = await run(['set', 'k', 'v'], { client: { set: timeout } });
  t.is(write.code, 5);
  t.regex(write.errors, /outcome is unknown/);
  t.true(write.closed);
  const read = await run(['get', 'k'], { client: { getBytes: timeout } });
  t.is(read.code, 4);
  const json = JSON.parse((await run(['delete', 'k', '--json'], { client: { delete: timeout } })).text);
  t.is(json.error.outcome, 'unknown');
  t.is(json.error.node, 2);
  t.is(json.error.exitCode, 5);
});

test('nobody listening exits with 4 and says what to check; a wrong key exits with 1 and says so', async (t) => {
  const nobody = await run(['get', 'k'], { connectError: new MemDbError('unavailable', 'no node answered') });
  t.is(nobody.code, 4);
  t.regex(nobody.errors, /no node answered\n.*check the hosts and ports/);
  const wrongKey = await run(['get', 'k'], { connectError: new MemDbError('authentication-failed', 'refused') });
  t.is(wrongKey.code, 1);
  t.regex(wrongKey.errors, /check key id and secret/);
});

test('a refused write exits with 1 and its sentence', async (t) => {
  const tooLarge = async (): Promise<never> => {
    throw new MemDbError('value-too-large', 'the value has 9 bytes; limits.max_value is 8');
  };
  const result = await run(['set', 'k', 'v'], { client: { set: tooLarge } });
  t.is(result.code, 1);
  t.is(result.errors, 'memdb: the value has 9 bytes; limits.max_value is 8\n');
});

test('the cluster comes from --url, then MEMDB_URL, then the development cluster in this directory', async (t) => {
  const client: FakeClient = { contains: async () => true };
  const other = url.replace('app', 'other');
  const third = url.replace('app', 'third');
  const cluster = { clientUrl: third, adminUrl: third, manager: null, nodes: [] };
  const files = { '.memdb/cluster.json': Buffer.from(JSON.stringify(cluster)) };
  t.is((await run(['contains', 'k', '--url', other], { client, files })).connectedTo, other);
  t.is((await run(['contains', 'k'], { client, files })).connectedTo, url);
  t.is((await run(['contains', 'k'], { client, files, environment: {} })).connectedTo, third);
  const none = await run(['contains', 'k'], { client, environment: {} });
  t.is(none.code, 2);
  t.regex(none.errors, /MEMDB_URL.*memdb dev/);
});

test('what shows the cluster takes a key of either role; data takes that of a client only', async (t) => {
  const topology = async (): Promise<object> => ({ epoch: 7, nodes: [], owners: [], partitions: 0 });
  const client: FakeClient = { admin: { topology }, contains: async () => true };
  for (const keyRole of ['client', 'admin'] as const) {
    const shown = await run(['nodes', '--json'], { client, keyRole });
    t.is(shown.code, 0, shown.errors);
    t.is(JSON.parse(shown.text).epoch, 7);
  }
  const neither = await run(['nodes'], { client, keyRole: 'node' });
  t.regex(neither.errors, /no key of role client/);
  t.not((await run(['contains', 'k'], { client, keyRole: 'admin' })).code, 0);
});

test('a URL that cannot be is a usage error that does not repeat the secret', async (t) => {
  for (const bad of [
    'http://x',
    `memdb://app:${'B'.repeat(42)}@h:1`,
    `memdb://app:${'B'.repeat(43)}@h:99999`,
    'memdb://h:1',
  ]) {
    const result = await run(['get', 'k', '--url', bad]);
    t.is(result.code, 2, bad);
    t.false(result.errors.includes('BBBB'));
    t.is(result.connectedTo, undefined);
  }
});

test('with --json every failure is one JSON document on standard output and nothing else', async (t) => {
  for (const words of [
    ['--json'],
    ['nonsense', '--json'],
    ['get', '--json'],
    ['get', 'a', 'b', '--json'],
    ['get', 'k', '--bogus', '--json'],
    ['set', 'k', '--json'],
    ['keygen', '--json'],
    ['keygen', '--role', 'king', '--json'],
    ['keygen', '--role', 'node', '--id', 'a b', '--json'],
    ['dev', 'bogus', '--json'],
    ['dev', '--nodes', '0', '--json'],
    ['server', '--set', 'x', '--json'],
  ]) {
    const result = await run(words);
    const document = JSON.parse(result.text);
    t.is(document.error.code, 'usage', words.join(' '));
    t.is(result.code, 2);
  }
});

test('commands that do not exist yet are unknown commands', async (t) => {
  for (const name of ['cas', 'counter', 'shell', 'manager', 'ring']) t.is((await run([name, 'x'])).code, 2, name);
});

test('help and version exit with 0 and are JSON with --json', async (t) => {
  const help = await run(['get', '--help']);
  t.is(help.code, 0);
  t.regex(help.text, /--consistency <level>/);
  t.is((await run(['--version'])).text, '1.2.3\n');
  t.is(JSON.parse((await run(['--version', '--json'])).text).text, '1.2.3\n');
  t.regex(JSON.parse((await run(['set', '--help', '--json'])).text).text, /--file/);
});

test('keygen makes a table that the keys file takes, a different secret each time', async (t) => {
  const first = await run(['keygen', '--role', 'client', '--id', 'app']);
  const second = await run(['keygen', '--role', 'node']);
  const ring = parseKeys('keys.toml', first.text + second.text);
  t.is(ring.secret('client', 'app')?.length, 32);
  t.regex(ring.preferred('node')?.id ?? '', /^node-[0-9a-f]{4}$/);
  const json = JSON.parse((await run(['keygen', '--role', 'client', '--id', 'app', '--json'])).text);
  t.is(json.secret.length, 43);
  t.false(first.text.includes(json.secret));
});

async function* keysOf(keys: readonly string[], failure?: Error): AsyncGenerator<Uint8Array> {
  for (const key of keys) yield Buffer.from(key, 'latin1');
  if (failure !== undefined) throw failure;
}

test('keys prints one key a line, as bytes, and stops at the limit', async (t) => {
  const asked: unknown[] = [];
  const client = {
    keysBytes: (options: unknown) => {
      asked.push(options);
      return keysOf(['a:1', 'a:2', '\xff']);
    },
  };
  const all = await run(['keys', '--prefix', 'a:', '--timeout', '5s'], { client });
  t.deepEqual([all.code, Buffer.from(all.output).toString('latin1')], [0, 'a:1\na:2\n\xff\n']);
  t.deepEqual(asked, [{ prefix: 'a:', timeoutMs: 5000 }]);
  t.is((await run(['keys', '--limit', '2'], { client })).text, 'a:1\na:2\n');
  const json = await run(['keys', '--json'], { client });
  t.deepEqual(JSON.parse(json.text), { keys: ['a:1', 'a:2', { keyBase64: '/w==' }], count: 3, complete: true });
  t.deepEqual(JSON.parse((await run(['keys', '--limit', '0', '--json'], { client })).text), {
    keys: [],
    count: 0,
    complete: false,
  });
  t.is((await run(['keys', '--limit', 'many'])).code, 2);
});

test('keys that fails half way is still valid JSON, and says so', async (t) => {
  const failure = new MemDbError('unavailable', 'too few replicas');
  const client = { keysBytes: () => keysOf(['a'], failure) };
  const { code, text } = await run(['keys', '--json'], { client });
  t.is(code, 4);
  const document = JSON.parse(text);
  t.deepEqual([document.keys, document.complete, document.error.code], [['a'], false, 'unavailable']);
});

test('kill asks by the name of the node, does nothing without a yes, and needs --yes where nobody can be asked', async (t) => {
  const killed: unknown[] = [];
  const nodes = [
    { number: 2, id: 'a1000000-0000-4000-8000-000000000001', address: '10.0.0.2:10000', zone: '', host: 'h' },
  ];
  const client: FakeClient = {
    topology: { nodes },
    admin: { kill: async (node: number, { graceful }: { graceful: boolean }) => void killed.push([node, graceful]) },
  };
  const refused = await run(['kill', '2'], { client, answer: 'n' });
  t.regex(refused.errors, /Kill node 2 \(10\.0\.0\.2:10000\)\? \[y\/N\] memdb: nothing was done/);
  t.is(refused.code, 1);
  t.is((await run(['kill', '2'], { client })).code, 2);
  t.is((await run(['kill', '7', '--yes'], { client })).code, 2);
  t.deepEqual(killed, []);
  t.is((await run(['kill', 'a1000000'], { client, answer: 'yes' })).code, 0);
  t.is((await run(['kill', 'node2', '--graceful', '--yes'], { client })).code, 0);
  t.deepEqual(killed, [
    [2, false],
    [2, true],
  ]);
});

test('counter get prints the value, and as JSON a string: it may have 64 bits', async (t) => {
  const client = { counter: (name: string) => ({ get: async () => (name === 'hits' ? -(2n ** 63n) : 0n) }) };
  t.like(await run(['counter', 'get', 'hits'], { client }), { code: 0, text: '-9223372036854775808\n', closed: true });
  const { code, text } = await run(['counter', 'get', 'hits', '--json'], { client });
  t.deepEqual([code, JSON.parse(text)], [0, { counter: 'hits', value: '-9223372036854775808' }]);
});

test('counter add and subtract count by one or by what is given, and tell when the outcome is unknown', async (t) => {
  const calls: unknown[] = [];
  const counter = (name: string): unknown => ({
    add: async (amount: bigint, options: unknown) => void calls.push(['add', name, amount, options]),
    subtract: async (amount: bigint) => void calls.push(['subtract', name, amount]),
  });
  t.like(await run(['counter', 'add', 'hits'], { client: { counter } }), { code: 0, text: 'added\n' });
  const words = ['counter', 'add', 'hits', '12', '--consistency', 'all', '--json'];
  t.deepEqual(JSON.parse((await run(words, { client: { counter } })).text), { counter: 'hits', added: '12' });
  t.like(await run(['counter', 'subtract', 'hits', '2'], { client: { counter } }), { code: 0, text: 'subtracted\n' });
  t.deepEqual(calls, [
    ['add', 'hits', 1n, {}],
    ['add', 'hits', 12n, { consistency: 'all' }],
    ['subtract', 'hits', 2n],
  ]);
  const lost = new MemDbError('connection-lost', 'gone', { outcome: 'unknown' });
  const failing = { counter: () => ({ add: () => Promise.reject(lost) }) };
  t.is((await run(['counter', 'add', 'hits'], { client: failing })).code, 5);
  t.is((await run(['counter', 'add', 'hits', '1.5'], { client: { counter } })).code, 2);
  t.is((await run(['counter', 'multiply', 'hits'], { client: { counter } })).code, 2);
});
