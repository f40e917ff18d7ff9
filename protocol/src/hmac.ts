import nacl from 'tweetnacl';

const BLOCK_BYTES = 128;

/** HMAC-SHA-512 (RFC 2104). `key` has at most 128 bytes: longer ones would have to be hashed first, and none are used. */
export function hmacSha512(key: Uint8Array, message: Uint8Array): Uint8Array {
  if (key.length > BLOCK_BYTES) throw new RangeError(`HMAC key of ${key.length} bytes, at most ${BLOCK_BYTES}`);
  const inner = new Uint8Array(BLOCK_BYTES + message.length);
  const outer = new Uint8Array(BLOCK_BYTES + nacl.hash.hashLength);
  inner.fill(0x36, 0, BLOCK_BYTES);
  outer.fill(0x5c, 0, BLOCK_BYTES);
  for (let index = 0; index < key.length; index++) {
    inner[index] ^= key[index];
    outer[index] ^= key[index];
  }
  inner.set(message, BLOCK_BYTES);
  outer.set(nacl.hash(inner), BLOCK_BYTES);
  return nacl.hash(outer);
}
