import nacl from 'tweetnacl';
import { hmacSha512 } from './hmac.js';

/** Bytes of a shared secret, a public key, a nonce and a proof. */
export const SECRET_BYTES = 32;
export const PUBLIC_KEY_BYTES = 32;
export const NONCE_BYTES = 32;
export const PROOF_BYTES = 32;

const encoder = new TextEncoder();
const transcriptLabel = encoder.encode('memdb handshake v1');
const serverLabel = encoder.encode('server');
const clientLabel = encoder.encode('client');

function concatenate(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** A fresh X25519 pair from random bytes that are passed in: never from tweetnacl's own generator. */
export function ephemeralKeyPair(random: (bytes: Uint8Array) => void): KeyPair {
  const seed = new Uint8Array(nacl.box.secretKeyLength);
  random(seed);
  return nacl.box.keyPair.fromSecretKey(seed);
}

/**
 * The X25519 shared secret, or undefined when the other side's public key is of low order: the secret would be all
 * zeros whatever our key is (RFC 7748, section 6.1).
 */
export function sharedSecret(own: KeyPair, otherPublicKey: Uint8Array): Uint8Array | undefined {
  const shared = nacl.scalarMult(own.secretKey, otherPublicKey);
  let anyBit = 0;
  for (const byte of shared) anyBit |= byte;
  return anyBit === 0 ? undefined : shared;
}

/** SHA-512 over everything both sides said: roles, versions, features, cluster, identities, public keys, nonces. */
export function transcriptHash(helloBody: Uint8Array, welcomeBodyWithoutProof: Uint8Array): Uint8Array {
  return nacl.hash(concatenate(transcriptLabel, helloBody, welcomeBodyWithoutProof));
}

export interface Proofs {
  readonly server: Uint8Array;
  readonly client: Uint8Array;
}

/** What each side shows to prove that it knows the secret, in this very exchange. The labels make reflection useless. */
export function handshakeProofs(secret: Uint8Array, shared: Uint8Array, transcript: Uint8Array): Proofs {
  const sessionKey = nacl.hash(concatenate(secret, shared, transcript));
  return {
    server: hmacSha512(sessionKey, concatenate(serverLabel, transcript)).subarray(0, PROOF_BYTES),
    client: hmacSha512(sessionKey, concatenate(clientLabel, transcript)).subarray(0, PROOF_BYTES),
  };
}

/** Whether two proofs are equal, in constant time. */
export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === PROOF_BYTES && b.length === PROOF_BYTES && nacl.verify(a, b);
}
