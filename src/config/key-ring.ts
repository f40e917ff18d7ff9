import { parse as parseToml, TomlError } from 'smol-toml';
import { ConfigError, type ConfigProblem } from './config-error.js';

/** Who a shared key lets in. */
export type KeyRole = 'client' | 'node' | 'admin';
export const keyRoles: readonly KeyRole[] = ['client', 'node', 'admin'];

/** A shared key. Both sides of a connection hold it; it never crosses the wire. */
export interface SharedKey {
  readonly id: string;
  readonly role: KeyRole;
  readonly secret: Uint8Array;
}

export const secretBytes = 32;
/** The id travels in the handshake with 8 bits of length, and in URLs. */
export const keyIdPattern: RegExp = /^[A-Za-z0-9._-]{1,64}$/;
/** Rotation needs two or three per role; every dialer may try only one, so this only bounds a mistake. */
const keysMax = 256;

/**
 * The keys a node accepts and uses. Several ids per role are valid at once, so that keys can be rotated: add the
 * new one to every node's file, move its users over, then remove the old one.
 */
export class KeyRing {
  #keys: readonly SharedKey[];

  constructor(keys: readonly SharedKey[]) {
    this.#keys = keys;
  }

  /** The secret of `id` in `role`, or undefined when it is not valid (any more). */
  secret(role: KeyRole, id: string): Uint8Array | undefined {
    return this.#keys.find((key) => key.role === role && key.id === id)?.secret;
  }

  /** The key to dial others with: the first of its role in the file. */
  preferred(role: KeyRole): SharedKey | undefined {
    return this.#keys.find((key) => key.role === role);
  }

  /** All keys of a role, the preferred one first. */
  all(role: KeyRole): readonly SharedKey[] {
    return this.#keys.filter((key) => key.role === role);
  }

  /** Takes over the keys of `other`; whoever holds this ring sees them from now on. */
  replaceWith(other: KeyRing): void {
    this.#keys = other.#keys;
  }

  /** Ids by role, without secrets, for logs. */
  describe(): string {
    return this.#keys.map((key) => `${key.role}:${key.id}`).join(', ');
  }
}

/** Reads a secret: 32 bytes as base64url without padding. */
export function parseSecret(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]{43}$/.test(text)) return undefined;
  const bytes = Uint8Array.from(Buffer.from(text, 'base64url'));
  return bytes.length === secretBytes ? bytes : undefined;
}

export function formatSecret(secret: Uint8Array): string {
  return Buffer.from(secret).toString('base64url');
}

/**
 * Reads a keys file: `[[key]]` tables of `id`, `role` and `secret`.
 *
 * @throws ConfigError with everything that is wrong; secrets are never part of a message.
 */
export function parseKeys(fileName: string, text: string): KeyRing {
  const problems: ConfigProblem[] = [];
  const report = (message: string): void => {
    problems.push({ source: fileName, key: 'auth.keys_file', message });
  };
  const keys: SharedKey[] = [];
  for (const [index, entry] of readEntries(text, report).entries()) {
    const key = readKey(entry, `key ${index + 1}`, report);
    if (key === undefined) continue;
    if (keys.some((other) => other.role === key.role && other.id === key.id)) {
      report(`key ${index + 1}: the id "${key.id}" appears twice for role "${key.role}"`);
    }
    keys.push(key);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return new KeyRing(keys);
}

function readEntries(text: string, report: (message: string) => void): readonly unknown[] {
  let document: Record<string, unknown>;
  try {
    document = parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The parser's message quotes the file, which holds secrets: only the place is passed on.
    report(`line ${error.line}, column ${error.column}: not valid TOML`);
    return [];
  }
  const unknown = Object.keys(document).filter((name) => name !== 'key');
  if (unknown.length > 0) report(`unknown entry ${unknown.join(', ')}: the file holds [[key]] tables only`);
  const entries = document.key;
  if (!Array.isArray(entries) || entries.length === 0) {
    report('holds no [[key]] table; make one with: memdb keygen --role node');
    return [];
  }
  if (entries.length > keysMax) {
    report(`holds ${entries.length} keys; at most ${keysMax} are allowed`);
    return [];
  }
  return entries;
}

function readKey(entry: unknown, place: string, report: (message: string) => void): SharedKey | undefined {
  if (typeof entry !== 'object' || entry === null) {
    report(`${place}: is not a table`);
    return undefined;
  }
  const { id, role: roleName, secret: secretText, ...others } = entry as Record<string, unknown>;
  for (const name of Object.keys(others)) report(`${place}: unknown entry ${name}; a key has id, role and secret`);
  const role = keyRoles.find((candidate) => candidate === roleName);
  if (role === undefined) report(`${place}: role must be one of ${keyRoles.map((name) => `"${name}"`).join(', ')}`);
  const validId = typeof id === 'string' && keyIdPattern.test(id);
  if (!validId) report(`${place}: id must be 1 to 64 letters, digits, ".", "_" or "-"`);
  const secret = typeof secretText === 'string' ? parseSecret(secretText) : undefined;
  if (secret === undefined) {
    report(`${place}: secret must be ${secretBytes} bytes in base64url (43 characters), as memdb keygen prints it`);
  }
  return validId && role !== undefined && secret !== undefined ? { id, role, secret } : undefined;
}

/** A `[[key]]` table, the inverse of `parseKeys`. */
export function formatKey(key: SharedKey): string {
  return `[[key]]\nid = "${key.id}"\nrole = "${key.role}"\nsecret = "${formatSecret(key.secret)}"\n`;
}
