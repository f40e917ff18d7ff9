import type { Address } from './address.js';
import type { Compression, ConfiguredLogLevel, Durability, EvictionMode, LogFormat, MemDbConfig } from './config.js';
import type { SettingKind } from './setting-kind.js';
import * as kind from './setting-kind.js';

const KiB = 2 ** 10;
const MiB = 2 ** 20;
const GiB = 2 ** 30;

/** One configurable value: its name, what it accepts and what it is when nobody says. */
export interface Setting<T> {
  readonly section: string;
  readonly key: string;
  readonly kind: SettingKind<T>;
  readonly fallback: T;
  /** One line for the printed configuration and the documentation. */
  readonly help: string;
}

/** The same with its type forgotten, for code that treats all settings alike. */
export type AnySetting = Setting<unknown>;

/** Key lengths travel as 16 bits. */
const keyBytesHardMax = 65_535;
/** A value travels in one frame and stays in one record (28 bits of length); above this, latency suffers for all. */
const valueBytesHardMax = 64 * MiB;

/** What the machine says when the configuration does not. */
export interface MachineFacts {
  readonly hostName: string;
  /** The package that compresses; none by default. Asked only where it matters: it has to be loaded. */
  readonly codec?: () => string | undefined;
}

/** Looks up the value of a setting: configured, or its fallback. */
export type ReadSetting = <T>(setting: Setting<T>) => T;

const node = section('node');
const cluster = section('cluster');
const auth = section('auth');
const storage = section('storage');
const limits = section('limits');
const manager = section('manager');
const log = section('log');

const name = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const nameOrEmpty = /^([A-Za-z0-9][A-Za-z0-9._-]{0,62})?$/;
const file = kind.text('empty, or the path of a file', /^[^\0]*$/);
const nameRule = '1 to 63 letters, digits, ".", "_" or "-", the first a letter or digit';

const schema = {
  dataDir: node(
    'data_dir',
    kind.text('the path of a directory', /^[^\0]+$/),
    '/var/lib/memdb',
    'everything the node keeps',
  ),
  listen: node('listen', kind.address, { host: '127.0.0.1', port: 10_000 }, 'where clients and nodes connect'),
  advertise: node<Address | null>(
    'advertise',
    kind.addressOr('listen'),
    null,
    'what others dial, when it is not `listen`',
  ),
  http: node<Address | null>(
    'http',
    kind.addressOr('off'),
    { host: '127.0.0.1', port: 10_100 },
    'serves /livez, /readyz and /metrics',
  ),
  zone: node('zone', kind.text(`empty, or ${nameRule}`, nameOrEmpty), '', 'replicas spread over zones first'),
  host: node('host', kind.text(`empty, or ${nameRule}`, nameOrEmpty), '', 'failure domain; empty: the host name'),
  weight: node('weight', kind.decimal(0.1, 100), 1, 'share of the data relative to other nodes'),

  clusterName: cluster('name', kind.text(nameRule, name), 'memdb', 'for people; the cluster UUID is what counts'),
  seeds: cluster<readonly Address[]>('seeds', kind.addressList(64), [], 'some nodes of the cluster, to find the rest'),
  founders: cluster('founders', kind.integer(1, 64), 1, 'the first so many seeds form a new cluster together'),
  replicationFactor: cluster('replication_factor', kind.integer(1, 9), 3, 'copies of each key; fixed at founding'),
  partitions: cluster('partitions', kind.powerOfTwo(1, 4096), 256, 'arcs of the ring; fixed at founding'),

  keysFile: auth(
    'keys_file',
    kind.text('the path of a file', /^[^\0]+$/),
    '/etc/memdb/keys.toml',
    'made by `memdb keygen`',
  ),

  durability: storage<Durability>(
    'durability',
    kind.oneOf('sync', 'interval', 'none'),
    'sync',
    'sync: an answer means on disk; interval: every sync_interval; none: memory only',
  ),
  syncIntervalMs: storage('sync_interval', kind.durationMs(1, 60_000), 100, 'for durability = "interval"'),
  segmentBytes: storage(
    'segment_size',
    kind.powerOfTwoBytes(256 * KiB, GiB),
    16 * MiB,
    'most bytes of one log file and its memory; smaller ones while there is little data, if max_value allows',
  ),
  memoryBytesMax: storage(
    'max_memory',
    kind.bytes(64 * MiB, 1024 * GiB, 'no bound'),
    0,
    'most memory for data: segments and index',
  ),
  entriesMax: storage('max_entries', kind.integer(0, 1_000_000_000_000), 0, 'most keys with a value; 0: no bound'),
  eviction: storage<EvictionMode>(
    'eviction',
    kind.oneOf('reject', 'lru'),
    'reject',
    'at max_memory or max_entries, reject: new writes are refused; lru: the least recently used keys go',
  ),
  compression: storage<Compression>(
    'compression',
    kind.oneOf('off', 'on'),
    'off',
    'LZ4 for the files of full segments; needs the package lz4 or lz4-napi',
  ),

  keyBytesMax: limits('max_key', kind.bytes(1, keyBytesHardMax), 4 * KiB, 'longest key'),
  valueBytesMax: limits('max_value', kind.bytes(1, valueBytesHardMax), 8 * MiB, 'longest value'),
  connectionsMax: limits('max_connections', kind.integer(1, 1_000_000), 10_000, 'open connections'),
  inflightMax: limits('max_inflight', kind.integer(1, 65_536), 8_192, 'unanswered requests of one connection'),
  requestTimeoutMs: limits('request_timeout', kind.durationMs(1, 600_000), 2_000, 'for requests without a deadline'),

  managerListen: manager('listen', kind.address, { host: '127.0.0.1', port: 8080 }, 'REST API and dashboard'),
  managerTokenFile: manager('token_file', file, '', 'holds a bearer token that is always accepted; empty: none'),
  managerSessionMs: manager(
    'session',
    kind.durationMs(60_000, 30 * 86_400_000),
    12 * 3_600_000,
    'how long a login lasts',
  ),
  managerCorsOrigins: manager<readonly string[]>(
    'cors_origins',
    kind.origins(16),
    [],
    'web pages of other origins that may use the REST API',
  ),
  managerCert: manager('cert_file', file, '', 'certificate chain in PEM, for HTTPS; empty: plain HTTP'),
  managerKey: manager('key_file', file, '', 'its private key in PEM'),

  logLevel: log<ConfiguredLogLevel>(
    'level',
    kind.oneOf('debug', 'info', 'warn', 'error'),
    'info',
    'least that is logged',
  ),
  logFormat: log<LogFormat>('format', kind.oneOf('json', 'pretty'), 'json', 'pretty is for eyes'),
};

/** All settings in the order of the documentation. */
export const settings: readonly AnySetting[] = Object.values(schema) as readonly AnySetting[];

/** The typed configuration out of single values. */
export function assemble(read: ReadSetting, machine: MachineFacts): MemDbConfig {
  const listen = read(schema.listen);
  return {
    node: {
      dataDir: read(schema.dataDir),
      listen,
      advertise: read(schema.advertise) ?? listen,
      http: read(schema.http) ?? undefined,
      zone: read(schema.zone),
      host: read(schema.host) || machine.hostName,
      weight: read(schema.weight),
    },
    cluster: {
      name: read(schema.clusterName),
      seeds: read(schema.seeds),
      founders: read(schema.founders),
      replicationFactor: read(schema.replicationFactor),
      partitions: read(schema.partitions),
    },
    auth: { keysFile: read(schema.keysFile) },
    storage: {
      durability: read(schema.durability),
      syncIntervalMs: read(schema.syncIntervalMs),
      segmentBytes: read(schema.segmentBytes),
      memoryBytesMax: read(schema.memoryBytesMax),
      entriesMax: read(schema.entriesMax),
      eviction: read(schema.eviction),
      compression: read(schema.compression),
    },
    limits: {
      keyBytesMax: read(schema.keyBytesMax),
      valueBytesMax: read(schema.valueBytesMax),
      connectionsMax: read(schema.connectionsMax),
      inflightMax: read(schema.inflightMax),
      requestTimeoutMs: read(schema.requestTimeoutMs),
    },
    manager: {
      listen: read(schema.managerListen),
      tokenFile: read(schema.managerTokenFile) || undefined,
      sessionMs: read(schema.managerSessionMs),
      corsOrigins: read(schema.managerCorsOrigins),
      tls:
        read(schema.managerCert) === ''
          ? undefined
          : { certFile: read(schema.managerCert), keyFile: read(schema.managerKey) },
    },
    log: { level: read(schema.logLevel), format: read(schema.logFormat) },
  };
}

function section(sectionName: string) {
  return <T>(key: string, settingKind: SettingKind<T>, fallback: T, help: string): Setting<T> => ({
    section: sectionName,
    key,
    kind: settingKind,
    fallback,
    help,
  });
}
