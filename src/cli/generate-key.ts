import { type KeyRole, type SharedKey, secretBytes } from '../config/key-ring.js';
import type { Random } from '../ports/random.js';

/** A new shared key from `random`; without an id it is named after its role and four random hexadecimal digits. */
export function generateKey(role: KeyRole, id: string | undefined, random: Random): SharedKey {
  const secret = new Uint8Array(secretBytes);
  random.fill(secret);
  const suffix = (random.uint32() & 0xffff).toString(16).padStart(4, '0');
  return { id: id ?? `${role}-${suffix}`, role, secret };
}
