import { Consistency, parseSecret, parseSeed, SECRET_BYTES, TTL_MS_MAX } from '@memdb/protocol';
import type { ClientOptions, ConnectOptions, ConsistencyLevel, Settings } from '../options.js';
import { badArgument } from './failures.js';
import { IN_FLIGHT_MAX } from './pending-replies.js';
import type { Address } from './ports.js';
import { parseToken } from './session.js';

const TIMEOUT_MS = 2000;
const CONNECT_TIMEOUT_MS = 5000;
const CONNECTIONS_PER_NODE_MAX = 16;
const IN_FLIGHT = 4096;
/** About 250 bytes each, without keys and values: 64 MiB. */
const QUEUED = 262_144;
const RETAINED_BYTES = 1_048_576;
/** Less than a socket's own high-water mark would never drain. */
const RETAINED_BYTES_MIN = 65_536;
/** What a timer can wait for. */
const MS_MAX = 2 ** 31 - 1;
const COUNT_MAX = 2 ** 31 - 1;

/** Fills in defaults. Throws MemDbError `bad-request` or `not-supported` for what cannot be. */
export function settingsOf(options: ClientOptions): Settings {
  const token = options.token === undefined ? 0 : parseToken(options.token);
  if (token === undefined) throw badArgument('token must be what session.token gave, a number below 2^53.');
  const consistency = options.consistency ?? 'quorum';
  levelOf(consistency);
  return {
    timeoutMs: within('timeoutMs', options.timeoutMs, TIMEOUT_MS, 1, MS_MAX),
    consistency,
    connectTimeoutMs: within('connectTimeoutMs', options.connectTimeoutMs, CONNECT_TIMEOUT_MS, 1, MS_MAX),
    connectionsPerNode: within('connectionsPerNode', options.connectionsPerNode, 1, 1, CONNECTIONS_PER_NODE_MAX),
    maxInFlight: within('maxInFlight', options.maxInFlight, IN_FLIGHT, 1, IN_FLIGHT_MAX),
    maxQueued: within('maxQueued', options.maxQueued, QUEUED, 0, COUNT_MAX),
    maxRetainedBytes: within(
      'maxRetainedBytes',
      options.maxRetainedBytes,
      RETAINED_BYTES,
      RETAINED_BYTES_MIN,
      COUNT_MAX,
    ),
    token,
  };
}

/** A consistency level as it travels. Throws MemDbError for one that there is not. */
export function levelOf(consistency: ConsistencyLevel): number {
  switch (consistency as string) {
    case 'one':
      return Consistency.one;
    case 'quorum':
      return Consistency.quorum;
    case 'all':
      return Consistency.all;
    case 'serial':
      return Consistency.serial;
    default:
      throw badArgument(`consistency must be 'one', 'quorum', 'all' or 'serial', not ${JSON.stringify(consistency)}.`);
  }
}

export function seedsOf(options: ConnectOptions): Address[] {
  if (options.seeds.length === 0) throw badArgument('seeds must name at least one node, host:port.');
  return options.seeds.map((seed) => (typeof seed === 'string' ? parseSeed(seed) : seed));
}

export function secretOf(options: ConnectOptions): Uint8Array {
  const { secret } = options.key;
  if (typeof secret === 'string') return parseSecret(secret);
  if (secret.length !== SECRET_BYTES) {
    throw badArgument(`The secret of a key has ${SECRET_BYTES} bytes, this one ${secret.length}.`);
  }
  return secret;
}

/** An operation's own time limit. Throws MemDbError `bad-request`. */
export function checkTimeoutMs(timeoutMs: number): number {
  return within('timeoutMs', timeoutMs, TIMEOUT_MS, 1, MS_MAX);
}

/** A time to live. Throws MemDbError `bad-request`. */
export function checkTtlMs(ttlMs: number): number {
  return within('ttlMs', ttlMs, 0, 1, TTL_MS_MAX);
}

function within(name: string, value: number | undefined, otherwise: number, least: number, most: number): number {
  if (value === undefined) return otherwise;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw badArgument(`${name} must be a whole number from ${least} to ${most}, not ${value}.`);
  }
  return value;
}
