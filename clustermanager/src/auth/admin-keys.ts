import { createHash, timingSafeEqual } from 'node:crypto';
import type { AdminKey } from '../options.js';

/**
 * The id of the admin key that a person typed: `SECRET`, `ID:SECRET`, or a whole `memdb://ID:SECRET@host` URL. Undefined
 * when it is none. Every key is compared in full whatever was typed, so that the time taken tells nothing.
 */
export function matchAdminKey(typed: string, keys: readonly AdminKey[]): string | undefined {
  const text = typed.trim().replace(/^memdb:\/\//, '');
  const [credentials = ''] = text.split('@', 1);
  const colon = credentials.indexOf(':');
  const id = colon < 0 ? undefined : credentials.slice(0, colon);
  const secret = digest(Buffer.from(credentials.slice(colon + 1), 'base64url'));
  let found: string | undefined;
  for (const key of keys) {
    const isSame = timingSafeEqual(digest(key.secret), secret);
    if (isSame && (id === undefined || id === key.id)) found = key.id;
  }
  return found;
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
