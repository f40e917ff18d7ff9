import { ConfigError } from '../../config/config-error.js';
import { type KeyRing, parseKeys } from '../../config/key-ring.js';
import { isReadableByOthers } from '../../platform/file-watch.js';
import { CliError } from '../cli-error.js';
import type { CliIo } from '../cli-io.js';
import { asText } from '../value-text.js';

export interface LoadedKeys {
  readonly ring: KeyRing;
  readonly warnings: readonly string[];
}

const uses = {
  node: 'which nodes need among themselves',
  admin: 'which the manager shows to the nodes',
} as const;

/**
 * Reads the keys file, which must hold a key of role `needed`. Throws `ConfigError` that says what to do when it is absent
 * or invalid.
 */
export function loadKeys(path: string, io: CliIo, needed: 'node' | 'admin' = 'node'): LoadedKeys {
  const ring = parseKeys(path, readText(path, io));
  if (ring.preferred(needed) === undefined) {
    throw problem(path, `holds no key of role "${needed}", ${uses[needed]}; add one: memdb keygen --role ${needed}`);
  }
  const warnings = isReadableByOthers(path)
    ? [`${path} can be read by other users of this machine; run: chmod 600 ${path}`]
    : [];
  return { ring, warnings };
}

function readText(path: string, io: CliIo): string {
  let bytes: Uint8Array;
  try {
    bytes = io.readFile(path);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    throw problem(
      path,
      `${error.message}; set auth.keys_file, or make one: (umask 077; for r in node client admin; do memdb keygen --role $r; done > ${path})`,
    );
  }
  const text = asText(bytes);
  if (text === undefined) throw problem(path, 'is not UTF-8 text');
  return text;
}

function problem(source: string, message: string): ConfigError {
  return new ConfigError([{ source, key: 'auth.keys_file', message }]);
}
