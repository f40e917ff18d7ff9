import { createHash } from 'node:crypto';
import nacl from 'tweetnacl';

/**
 * Half of the time of a simulation would go into X25519 in JavaScript: nodes and clients connect all the time. In a
 * simulator process the two functions of tweetnacl that the handshake calls are replaced: SHA-512 by the same one of
 * Node.js, and the key agreement by a stand-in that agrees just as X25519 does (both sides reach the same secret, from
 * the other side's public key alone). The real ones are tested where the handshake is.
 */
export function useFastCrypto(): void {
  nacl.hash = Object.assign((message: Uint8Array) => sha512(message), { hashLength: 64 });
  nacl.box.keyPair.fromSecretKey = (secretKey): nacl.BoxKeyPair => ({ secretKey, publicKey: publicKeyOf(secretKey) });
  nacl.scalarMult = Object.assign(
    (secretKey: Uint8Array, otherPublicKey: Uint8Array) => agree(publicKeyOf(secretKey), otherPublicKey),
    { base: nacl.scalarMult.base, scalarLength: 32, groupElementLength: 32 },
  );
}

function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  return sha512(secretKey).slice(0, 32);
}

function agree(own: Uint8Array, other: Uint8Array): Uint8Array {
  const [first, second] = Buffer.compare(own, other) < 0 ? [own, other] : [other, own];
  return sha512(first, second).slice(0, 32);
}
