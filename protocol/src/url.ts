import { MemDbError } from './errors.js';
import { SECRET_BYTES } from './handshake-crypto.js';
import { isKeyId } from './handshake-messages.js';
import { Consistency } from './opcodes.js';

/** Port of a seed that names none. */
export const DEFAULT_PORT = 10_000;
const TIMEOUT_MS_MAX = 2 ** 31 - 1;
const FORM = 'memdb://KEYID:SECRET@host:port,host:port/?timeout=2000&consistency=quorum&tls=true';

export interface Seed {
  readonly host: string;
  readonly port: number;
}

export interface ConnectionUrl {
  readonly keyId: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** At least one: the client learns the rest of the cluster from them. */
  readonly seeds: readonly Seed[];
  readonly timeoutMs?: number;
  readonly consistency?: keyof typeof Consistency;
  readonly tls?: boolean;
}

/**
 * Reads a connection URL. Throws MemDbError `bad-request`, not-applied, with a sentence that says what to change and
 * never contains the secret.
 *
 * @example parseUrl('memdb://app:0Jm…@10.0.0.1:10000,[::1]:10001/?timeout=2000').seeds.length === 2
 */
export function parseUrl(url: string): ConnectionUrl {
  const match = /^memdb:\/\/([^@/?#]*)@([^@/?#]*)(?:\/(?:\?([^#]*))?|\?([^#]*))?$/.exec(url);
  if (match === null) throw wrong(`The URL must have the form ${FORM}.`);
  const [, user = '', hosts = '', afterSlash, direct] = match;
  const colon = user.indexOf(':');
  if (colon < 0) throw wrong('The URL names no secret: write memdb://KEYID:SECRET@…, as `memdb keygen` prints it.');
  const keyId = user.slice(0, colon);
  if (!isKeyId(keyId)) throw wrong('The key id in the URL must be 1 to 64 of A-Z a-z 0-9 . _ -.');
  const secret = parseSecret(user.slice(colon + 1));
  const seeds = hosts.split(',').map(parseSeed);
  return { keyId, secret, seeds, ...parseParameters(afterSlash ?? direct ?? '') };
}

/** 32 bytes from base64url. Throws MemDbError `bad-request` that does not repeat what it was given. */
export function parseSecret(text: string): Uint8Array {
  const secret = /^[A-Za-z0-9_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64url') : undefined;
  if (secret === undefined || secret.length !== SECRET_BYTES) {
    throw wrong(
      `The secret must be 32 bytes in base64url, 43 characters; this one has ${text.length}. Make one with \`memdb keygen\`.`,
    );
  }
  return new Uint8Array(secret);
}

/** 43 characters of base64url. */
export function formatSecret(secret: Uint8Array): string {
  if (secret.length !== SECRET_BYTES) throw new RangeError(`a secret has ${SECRET_BYTES} bytes, not ${secret.length}`);
  return Buffer.from(secret).toString('base64url');
}

/** "host:port", "host", "[::1]:port" or "[::1]"; the port defaults to 10000. Throws MemDbError `bad-request`. */
export function parseSeed(text: string): Seed {
  const match = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) {
    throw wrong(`${JSON.stringify(text)} is no host:port. IPv6 addresses go in brackets: [::1]:${DEFAULT_PORT}.`);
  }
  const port = match[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (port < 1 || port > 65_535) throw wrong(`The port in ${JSON.stringify(text)} must be 1 to 65535.`);
  return { host: match[1] ?? match[2], port };
}

/** The inverse of `parseSeed`, with the port always written. */
export function formatSeed(seed: Seed): string {
  return `${seed.host.includes(':') ? `[${seed.host}]` : seed.host}:${seed.port}`;
}

interface Parameters {
  timeoutMs?: number;
  consistency?: keyof typeof Consistency;
  tls?: boolean;
}

function parseParameters(query: string): Parameters {
  const parameters: Parameters = {};
  const seen = new Set<string>();
  for (const part of query === '' ? [] : query.split('&')) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    const value = equals < 0 ? '' : part.slice(equals + 1);
    if (seen.has(name)) throw wrong(`The URL sets ${name} twice.`);
    seen.add(name);
    switch (name) {
      case 'timeout': {
        const timeoutMs = /^\d{1,10}$/.test(value) ? Number(value) : 0;
        if (timeoutMs < 1 || timeoutMs > TIMEOUT_MS_MAX) {
          throw wrong('timeout in the URL must be a whole number of milliseconds, at least 1: timeout=2000.');
        }
        parameters.timeoutMs = timeoutMs;
        break;
      }
      case 'consistency':
        if (!isConsistencyName(value)) {
          throw wrong(`consistency in the URL must be one of ${Object.keys(Consistency).join(', ')}.`);
        }
        parameters.consistency = value;
        break;
      case 'tls':
        if (value !== 'true' && value !== 'false') throw wrong('tls in the URL must be true or false.');
        parameters.tls = value === 'true';
        break;
      default:
        throw wrong(
          `The URL has the unknown parameter ${JSON.stringify(name)}; known are timeout, consistency and tls.`,
        );
    }
  }
  return parameters;
}

function isConsistencyName(text: string): text is keyof typeof Consistency {
  return Object.hasOwn(Consistency, text);
}

/** The URL that `parseUrl` reads back to the same. It contains the secret. */
export function formatUrl(url: ConnectionUrl): string {
  const parameters: string[] = [];
  if (url.timeoutMs !== undefined) parameters.push(`timeout=${url.timeoutMs}`);
  if (url.consistency !== undefined) parameters.push(`consistency=${url.consistency}`);
  if (url.tls !== undefined) parameters.push(`tls=${url.tls}`);
  const query = parameters.length === 0 ? '' : `?${parameters.join('&')}`;
  return `memdb://${url.keyId}:${formatSecret(url.secret)}@${url.seeds.map(formatSeed).join(',')}/${query}`;
}

function wrong(message: string): MemDbError {
  return new MemDbError('bad-request', message);
}
