import type { ConfiguredLogLevel } from './config.js';
import { nearest } from './nearest.js';
import type { SettingKind } from './setting-kind.js';
import * as kind from './setting-kind.js';

const KiB = 2 ** 10;
const GiB = 2 ** 30;

/** What a whole cluster agrees on while it runs: what is undefined is left to the configuration of each node. */
export interface ClusterSettings {
  readonly requestTimeoutMs: number | undefined;
  readonly inflightMax: number | undefined;
  readonly connectionsMax: number | undefined;
  readonly logLevel: ConfiguredLogLevel | undefined;
  /** Bytes a second that each node takes of partitions that move to it; 0: no bound. */
  readonly transferBytesPerSecond: number | undefined;
}

interface ClusterSetting<T> {
  readonly name: string;
  readonly kind: SettingKind<T>;
  readonly help: string;
}

/** The names are those of the configuration file, where there is such a setting. */
const schema = {
  requestTimeoutMs: setting('limits.request_timeout', kind.durationMs(1, 600_000), 'for requests without a deadline'),
  inflightMax: setting('limits.max_inflight', kind.integer(1, 65_536), 'unanswered requests of one connection'),
  connectionsMax: setting('limits.max_connections', kind.integer(1, 1_000_000), 'open connections of a node'),
  logLevel: setting<ConfiguredLogLevel>(
    'log.level',
    kind.oneOf('debug', 'info', 'warn', 'error'),
    'least that is logged',
  ),
  transferBytesPerSecond: setting(
    'transfer.rate',
    kind.bytes(64 * KiB, 64 * GiB, 'no bound'),
    'bytes a second that each node takes of partitions that move to it',
  ),
};

function setting<T>(name: string, settingKind: SettingKind<T>, help: string): ClusterSetting<T> {
  return { name, kind: settingKind, help };
}

/** Names of all settings that a cluster may agree on, with what each is for. */
export function clusterSettingNames(): { readonly name: string; readonly allowed: string; readonly help: string }[] {
  return Object.values(schema).map(({ name, kind: { allowed }, help }) => ({ name, allowed, help }));
}

/**
 * Why the whole cluster cannot have that setting, as a sentence; undefined when it can. Without a value it is taken away.
 *
 * @example clusterSettingRefusal('log.level', 'loud') = 'log.level is "loud" and must be one of "debug", …'
 */
export function clusterSettingRefusal(name: string, value: string | undefined): string | undefined {
  const found = Object.values(schema).find((candidate) => candidate.name === name);
  if (found === undefined) {
    const names = Object.values(schema).map((candidate) => candidate.name);
    const close = nearest(name, names);
    const hint = close === undefined ? `there are ${names.join(', ')}` : `did you mean ${close}?`;
    return `${name} is no setting of a whole cluster; ${hint}`;
  }
  if (value === undefined || found.kind.parse(value) !== undefined) return undefined;
  return `${name} is "${value}" and must be ${found.kind.allowed}`;
}

/** The values that a topology carries. One that a newer version set, and this one does not know, counts for nothing. */
export function clusterSettings(
  settings: readonly { readonly name: string; readonly value: string }[],
): ClusterSettings {
  const find = <T>(wanted: ClusterSetting<T>): T | undefined => {
    const given = settings.find(({ name }) => name === wanted.name);
    return given === undefined ? undefined : read(wanted, given.value);
  };
  return {
    requestTimeoutMs: find(schema.requestTimeoutMs),
    inflightMax: find(schema.inflightMax),
    connectionsMax: find(schema.connectionsMax),
    logLevel: find(schema.logLevel),
    transferBytesPerSecond: find(schema.transferBytesPerSecond),
  };
}

/** As text in the environment is read. */
function read<T>(wanted: { readonly kind: { parse(raw: unknown): T | undefined } }, value: string): T | undefined {
  return wanted.kind.parse(value);
}
