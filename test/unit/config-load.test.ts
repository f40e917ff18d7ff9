import test from 'ava';
import { ConfigError } from '../../src/config/config-error.js';
import { type ConfigSources, loadConfig } from '../../src/config/load-config.js';
import { changedKeys, printConfig, settingNames } from '../../src/config/print-config.js';

const machine = { hostName: 'machine-1' };

function load(toml: string, more: Partial<ConfigSources> = {}) {
  return loadConfig({ file: { name: 'memdb.toml', text: toml }, machine, ...more });
}

function problems(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((problem) => `${problem.source}: ${problem.message}`);
    throw error;
  }
  throw new Error('expected a ConfigError');
}

test('without any source the defaults are complete and durable', (t) => {
  const { config } = loadConfig({ machine });
  t.deepEqual(config.node.listen, { host: '127.0.0.1', port: 10_000 });
  t.deepEqual(config.node.advertise, config.node.listen);
  t.is(config.node.host, 'machine-1');
  t.is(config.storage.durability, 'sync');
  t.is(config.storage.segmentBytes, 16 * 2 ** 20);
  t.is(config.limits.keyBytesMax, 4096);
  t.is(config.limits.valueBytesMax, 8 * 2 ** 20);
  t.is(config.limits.requestTimeoutMs, 2000);
  t.is(config.cluster.partitions, 256);
  t.is(config.cluster.replicationFactor, 3);
  t.is(config.cluster.founders, 1);
});

test('the environment wins over the file and flags win over both', (t) => {
  const toml = '[node]\nzone = "file"\nweight = 2\n[log]\nlevel = "debug"\n';
  const environment = { MEMDB_NODE_ZONE: 'environment', MEMDB_NODE_WEIGHT: '3', HOME: '/root' };
  const flags = [{ flag: '--zone', key: 'node.zone', value: 'flag' }];
  const loaded = load(toml, { environment, flags });
  t.is(loaded.config.node.zone, 'flag');
  t.is(loaded.config.node.weight, 3);
  t.is(loaded.config.log.level, 'debug');
  t.is(loaded.origins.get('node.zone'), '--zone');
  t.is(loaded.origins.get('node.weight'), 'environment MEMDB_NODE_WEIGHT');
  t.is(loaded.origins.get('log.level'), 'memdb.toml');
});

test('eviction needs a bound, and four segments in it', (t) => {
  const { storage } = load('[storage]\neviction = "lru"\nmax_memory = "64MiB"\nmax_entries = 1000\n').config;
  t.deepEqual([storage.eviction, storage.memoryBytesMax, storage.entriesMax], ['lru', 64 * 2 ** 20, 1000]);
  t.is(load('[storage]\neviction = "lru"\nmax_entries = 1\n').config.storage.memoryBytesMax, 0);
  t.regex(
    problems(() => load('[storage]\neviction = "lru"\n'))[0] ?? '',
    /set storage.max_memory or storage.max_entries/,
  );
  const small = '[storage]\neviction = "lru"\nmax_memory = "64MiB"\nsegment_size = "32MiB"\n';
  t.regex(problems(() => load(small))[0] ?? '', /needs 4 × storage.segment_size = "128MiB"/);
  t.regex(problems(() => load('[storage]\neviction = "random"\n'))[0] ?? '', /"reject", "lru"/);
});

test('lists are read from the file as arrays and from text separated by commas', (t) => {
  const seeds = [
    { host: '10.0.0.1', port: 10_000 },
    { host: '10.0.0.2', port: 10_000 },
  ];
  t.deepEqual(load('[cluster]\nseeds = ["10.0.0.1:10000", "10.0.0.2:10000"]\n').config.cluster.seeds, seeds);
  const environment = { MEMDB_CLUSTER_SEEDS: '10.0.0.1:10000, 10.0.0.2:10000' };
  t.deepEqual(loadConfig({ environment, machine }).config.cluster.seeds, seeds);
});

test('an unknown key is an error that names the nearest known one', (t) => {
  t.deepEqual(
    problems(() => load('[node]\ndatadir = "/x"\n')),
    ['memdb.toml: unknown key node.datadir; did you mean node.data_dir?'],
  );
  t.deepEqual(
    problems(() => load('[storage]\nmax_value = "1MiB"\n')),
    ['memdb.toml: unknown key storage.max_value; did you mean limits.max_value?'],
  );
  t.deepEqual(
    problems(() => loadConfig({ environment: { MEMDB_NODE_LISTN: 'x' }, machine })),
    ['environment MEMDB_NODE_LISTN: unknown setting MEMDB_NODE_LISTN; did you mean MEMDB_NODE_LISTEN?'],
  );
  t.regex(
    problems(() => load('[tls]\ncert = "x"\n'))[0] ?? '',
    /unknown key tls\.cert; the sections are node, cluster/,
  );
  t.regex(problems(() => load('[tls]\n'))[0] ?? '', /unknown key tls;/);
  t.regex(
    problems(() => load('listen = "a:1"\n'))[0] ?? '',
    /listen stands outside a section: did you mean node\.listen\?/,
  );
});

test('every problem is reported at once, with key, value and what is allowed', (t) => {
  const toml = [
    '[node]',
    'listen = "nowhere"',
    'weight = -1',
    '[cluster]',
    'partitions = 100',
    'seeds = ["a:1", "b"]',
    '[storage]',
    'durability = "fast"',
    'sync_interval = 100',
    'segment_size = "1 parsec"',
  ].join('\n');
  const found = problems(() => load(toml));
  t.is(found.length, 7);
  t.true(found.every((line) => line.startsWith('memdb.toml: ') && line.includes(' must be ')));
  t.true(found.some((line) => line.includes('storage.durability = "fast" must be one of "sync", "interval", "none"')));
  t.true(found.some((line) => line.includes('cluster.partitions = 100 must be a power of two from 1 to 4096')));
  t.true(found.some((line) => line.includes('storage.sync_interval = 100 must be a time with its unit')));
});

test('broken TOML names line and column', (t) => {
  t.regex(problems(() => load('[node]\nlisten = \n'))[0] ?? '', /^memdb\.toml: line 2, column \d+: not valid TOML/);
});

test('a segment that cannot hold the longest record is refused across keys', (t) => {
  const found = problems(() => load('[storage]\nsegment_size = "8MiB"\n'));
  t.is(found.length, 1);
  t.regex(found[0] ?? '', /cannot hold the longest record.*raise segment_size or lower max_value/);
  t.notThrows(() => load('[storage]\nsegment_size = "1MiB"\n[limits]\nmax_value = "512KiB"\n'));
});

test('a value limit above 64 MiB and a key limit above 65535 bytes are refused', (t) => {
  t.is(problems(() => load('[limits]\nmax_value = "65MiB"\nmax_key = 65536\n')).length, 2);
});

test('listening on every interface needs an address that others can dial', (t) => {
  t.regex(problems(() => load('[node]\nlisten = "0.0.0.0:10000"\n'))[0] ?? '', /set node\.advertise/);
  const { config } = load('[node]\nlisten = "0.0.0.0:10000"\nadvertise = "10.0.0.1:10000"\n');
  t.deepEqual(config.node.advertise, { host: '10.0.0.1', port: 10_000 });
});

test('more founders than seeds are refused', (t) => {
  t.regex(problems(() => load('[cluster]\nfounders = 3\nseeds = ["a:1", "b:1"]\n'))[0] ?? '', /first entries of seeds/);
});

test('the http port can be switched off and cannot be the data port', (t) => {
  t.is(load('[node]\nhttp = "off"\n').config.node.http, undefined);
  t.regex(problems(() => load('[node]\nhttp = "127.0.0.1:10000"\n'))[0] ?? '', /give each its own port/);
});

test('variables that Kubernetes sets for a service and variables that resemble no setting do not stop a node', (t) => {
  const environment = {
    MEMDB_SERVICE_HOST: '10.0.0.1',
    MEMDB_NODE_PORT: 'tcp://10.0.0.1:1',
    MEMDB_PORT_10000_TCP_ADDR: '10.0.0.1',
    MEMDB_URL: 'memdb://x',
    MEMDB_BACKUP_BUCKET_NAME_OF_OURS: 'b',
  };
  const loaded = loadConfig({ environment, machine });
  t.is(loaded.warnings.length, 1);
  t.regex(loaded.warnings[0] ?? '', /MEMDB_BACKUP_BUCKET_NAME_OF_OURS is no setting/);
});

test('the printed configuration reads back as the same configuration', (t) => {
  const toml =
    '[node]\nhttp = "off"\nweight = 2.5\nhost = "rack-7"\n[cluster]\nfounders = 2\nseeds = ["a:1", "[::1]:2"]\n[storage]\nmax_memory = "2GiB"\n';
  const loaded = load(toml);
  const again = load(printConfig(loaded));
  t.deepEqual(again.config, loaded.config);
  t.deepEqual(changedKeys(loaded.config, again.config), []);
});

test('changed keys are named as in the file', (t) => {
  const before = load('').config;
  const after = load('[log]\nlevel = "debug"\n[limits]\nmax_connections = 5\n[cluster]\nseeds = ["a:1"]\n').config;
  t.deepEqual(changedKeys(before, after), ['cluster.seeds', 'limits.max_connections', 'log.level']);
});

test('every setting can be given by its environment variable', (t) => {
  const loaded = load('');
  const printed = printConfig(loaded);
  for (const { name, variable } of settingNames()) {
    const key = name.split('.')[1] ?? '';
    const line = printed.split('\n').find((candidate) => candidate.startsWith(`${key} = `)) ?? '';
    const literal = (line.split(' = ')[1] ?? '').split(' #')[0]?.trim() ?? '';
    const listed = name === 'manager.cors_origins' ? 'https://a' : 'a:1';
    const value = literal.startsWith('[') ? listed : literal.replaceAll('"', '');
    if (value === '') continue;
    const again = loadConfig({ environment: { [variable]: value }, machine });
    t.true(again.origins.has(name), variable);
  }
});

test('compression without a codec is refused with what to install, and with one it is taken', (t) => {
  const compressed = '[storage]\ncompression = "on"\n';
  t.true(problems(() => load(compressed))[0]?.includes('npm install lz4-napi'));
  t.is(load(compressed, { machine: { ...machine, codec: () => 'lz4' } }).config.storage.compression, 'on');
  t.is(load('').config.storage.compression, 'off');
});
